/* What a tree proof refers to more than once: whether `check_shape` and `_check_first` of irminpy/proof refuse it.
 *
 * A part is revealed at the first place that leads to it, and blinded at all others. There it has to be what it is at the first
 * one. What is wrong, and where, is for Python to say. */
#include "draft.h"
#include "blake3.h"
#include "table.h"

/* What the hashes of all steps of a flat node have in common: so many first bits of one of them. */
typedef struct {
    uint16_t bits; /* 0 if that is not known yet: with no bit in common, which is seldom, it is found out again */
    uint8_t sample[HASH];
} Common;

static unsigned agreed(const uint8_t *a, const uint8_t *b, unsigned most) {
    unsigned n = 0;
    while (n < most && a[n >> 3] == b[n >> 3]) n = (n & ~7u) + 8;
    if (n >= most) return most;
    for (uint8_t differs = a[n >> 3] ^ b[n >> 3]; n < most && !(differs & 128); differs = (uint8_t)(differs << 1)) n++;
    return n;
}

static void find_common(const Draft *d, Common *found) {
    const uint8_t *step = d->steps, *lengths = d->lengths;
    found->bits = 8 * HASH;
    for (uint32_t i = 0; i < d->n && found->bits; i++) {
        uint8_t key[HASH];
        size_t length = next_length(&lengths);
        blake3_digest(step, length, i ? key : found->sample);
        if (i) found->bits = (uint16_t)agreed(found->sample, key, found->bits);
        step += length;
    }
}

typedef struct {
    const Reading *g;
    Table parts; /* of all nodes and, with numbers behind theirs, all values */
    Common *common; /* of each node; made at need */
} Sharing;

/* Whether a node may stand in a bucket too. -1 with an error set. */
static int fits(Sharing *s, size_t number, const Place *place) {
    const Draft *d = &s->g->drafts[number];
    if (d->place.level == place->level && !memcmp(d->place.prefix, place->prefix, HASH)) return 1;
    /* An inner node has entries that are not shown, and they have the digits of one place. */
    if (d->inner || !d->n) return 0;
    if (!s->common && !(s->common = PyMem_Calloc(s->g->n_drafts, sizeof *s->common))) {
        PyErr_NoMemory();
        return -1;
    }
    Common *common = &s->common[number];
    if (!common->bits) find_common(d, common);
    return common->bits >= place->level * s->g->width && has_digits(common->sample, place, s->g->width);
}

/* Whether the entry, or bucket, `at` of the node `number` stands behind the one that reveals a part. */
static int later(size_t number, size_t at, uint32_t parent, uint32_t first) {
    return number > parent || (number == parent && at > first);
}

/* 1 if the directory or value with this hash may be blinded at this entry. What is of another kind than it says is never found. */
static int entry_fits(const Sharing *s, const uint8_t *hash, int contents, size_t number, size_t at) {
    const Slot *slot = table_slot(&s->parts, hash);
    if (!slot->hash) return 1;
    if (slot->number >= s->g->n_drafts) {
        const Value *value = &s->g->values[slot->number - s->g->n_drafts];
        return !contents || later(number, at, value->parent, value->at);
    }
    const Draft *d = &s->g->drafts[slot->number];
    return contents || (!(d->inner && d->place.level) && later(number, at, d->place.parent, d->place.at));
}

/* The same of a bucket with so many entries. -1 with an error set. */
static int bucket_fits(Sharing *s, const uint8_t *hash, int64_t count, size_t number, size_t at) {
    const Slot *slot = table_slot(&s->parts, hash);
    if (!slot->hash) return 1;
    if (slot->number >= s->g->n_drafts) return 1;
    const Draft *d = &s->g->drafts[slot->number];
    if (d->count != count || !later(number, at, d->place.parent, d->place.at)) return 0;
    Place place = bucket_place(s->g, number, at);
    return fits(s, slot->number, &place);
}

static int all_fit(Sharing *s) {
    const Reading *g = s->g;
    int fit = 1;
    for (size_t number = 0; fit == 1 && number < g->n_drafts; number++) {
        const Draft *d = &g->drafts[number];
        const uint8_t *hash = d->hashes;
        Reader counts = {d->lengths, g->r.end};
        for (size_t i = 0; fit == 1 && i < (d->inner ? (size_t)g->fanout : d->n); i++) {
            if (d->inner ? bucket_state(d, i) != 1 : reveals(d->states[i])) continue;
            fit = d->inner ? bucket_fits(s, hash, varint(&counts), number, i)
                           : entry_fits(s, hash, d->states[i] > 0, number, i);
            hash += HASH;
        }
    }
    return fit;
}

/* `found` are the hashes of the values. Cost: in proportion to the entries; a step is hashed once more at most. */
int shared_oddly(const Reading *g, const uint8_t *found) {
    Sharing s = {.g = g};
    int fit = table_init(&s.parts, g->n_drafts + g->n_values) ? 1 : -1;
    if (fit == 1) {
        for (size_t i = 0; i < g->n_drafts; i++) {
            Slot *slot = table_slot(&s.parts, g->drafts[i].hash);
            slot->hash = g->drafts[i].hash;
            slot->number = i;
        }
        for (size_t i = 0; i < g->n_values; i++) {
            Slot *slot = table_slot(&s.parts, found + i * HASH);
            slot->hash = found + i * HASH;
            slot->number = g->n_drafts + i;
        }
        fit = all_fit(&s);
    }
    table_free(&s.parts);
    PyMem_Free(s.common);
    return fit < 0 ? -1 : !fit;
}
