/* The rules between the nodes of a proof in Irmin's form: what `_checked` of `irminpy/proof/irmin/values.py` and `check_shape` of
 * `shape.py` find right. The nodes are a tree whose depths and kinds fit, as they were read; what is left are the steps below an
 * inode, the numbers of entries, and what is referred to by its hash from elsewhere. */
#include "state.h"

/* OCaml's `Hashtbl.seeded_hash`, as in `irminpy/repr/base.py`. */
static uint32_t seeded_hash(uint32_t seed, const uint8_t *data, size_t size) {
    uint32_t h = seed;
    for (size_t at = 0; at < size; at += 4) {
        uint32_t k = 0;
        for (size_t i = 0; i < 4 && at + i < size; i++) k |= (uint32_t)data[at + i] << 8 * i;
        k *= 0xCC9E2D51u;
        k = (k << 15 | k >> 17) * 0x1B873593u;
        h ^= k;
        h = h << 13 | h >> 19;
        h = h * 5 + 0xE6546B64u;
    }
    h ^= (uint32_t)size;
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h *= 0xC2B2AE35u;
    h ^= h >> 16;
    return h & 0x3FFFFFFF;
}

/* The child of a step at a depth in the order of the caller, or -1 if it has none: 1, 0 if that is no number, -1 with an error set. */
static int custom_digit(const Proof *s, const Entry *entry, Py_ssize_t depth, Py_ssize_t *child) {
    PyObject *digit = PyObject_CallFunction(s->digit, "ny#", depth, (const char *)entry->label, (Py_ssize_t)entry->size);
    if (!digit) return -1;
    int right = PyLong_Check(digit);
    *child = right ? PyLong_AsSsize_t(digit) : -1;
    Py_DECREF(digit);
    if (PyErr_Occurred()) return -1;
    return right;
}

/* Whether the digits of all steps of the node, from the depth `from` up to `to`, are those of the path. */
static int has_digits(Proof *s, const Draft *d, const uint8_t *path, Py_ssize_t from, Py_ssize_t to) {
    if (from >= to) return 1;
    EACH_ENTRY(s, d, entry) {
        uint8_t key[LONGEST_HASH + 1] = {0};
        if (s->order == BITS) {
            int done = state_digest(s, entry->label, entry->size, key);
            if (done != 1) return done;
        }
        for (Py_ssize_t depth = from; depth < to; depth++) {
            Py_ssize_t digit;
            if (s->order == BITS) {
                Py_ssize_t bit = depth * s->width;
                uint32_t window = (uint32_t)key[bit >> 3] << 8 | key[(bit >> 3) + 1];
                digit = window >> (16 - s->width - (bit & 7)) & (uint32_t)(s->fanout - 1);
            } else if (s->order == SEEDED) {
                digit = seeded_hash((uint32_t)depth, entry->label, entry->size) % (uint32_t)s->fanout;
            } else {
                int done = custom_digit(s, entry, depth, &digit);
                if (done != 1) return done;
            }
            if (digit != path[depth]) return 0;
        }
    }
    return 1;
}

/* Whether what a bucket of the inode hides, and the node `r` shows elsewhere, fits there. */
static int fits_too(Proof *s, const Draft *d, const Entry *entry, Draft *r) {
    Py_ssize_t level = d->level + 1;
    uint8_t path[64];
    memcpy(path, s->paths + d->path, d->level);
    path[d->level] = (uint8_t)entry->size;
    if (r->inner) return r->level == level && !memcmp(s->paths + r->path, path, (size_t)level);
    /* All steps have the digits that led to them where they are shown, or so many of those as `known` says. */
    if (!r->listed || memcmp(s->paths + r->path, path, (size_t)(r->known < level ? r->known : level))) return 0;
    if (level <= r->known) return 1;
    int done = has_digits(s, r, path, r->known, level);
    if (done != 1) return done;
    if (!grow((void **)&s->paths, &s->room_paths, s->n_paths, (size_t)level, 1)) return -1;
    r->path = (uint32_t)s->n_paths;
    r->known = (uint16_t)level;
    memcpy(s->paths + s->n_paths, path, (size_t)level);
    s->n_paths += (size_t)level;
    return 1;
}

/* The node that the proof shows with the hash of a hidden one, or NULL. */
static Draft *shown(const Proof *s, const uint8_t *hash) {
    const Slot *slot = table_slot_of(&s->nodes, hash, (size_t)s->hash_size);
    return slot->hash ? &s->drafts[slot->number] : NULL;
}

static int flat_fits(Proof *s, Draft *d) {
    EACH_ENTRY(s, d, entry) {
        if (entry->kind == HIDDEN && shown(s, entry->hash)) return 0;
        if (entry->kind == HIDDEN_CONTENTS && table_slot_of(&s->known, entry->hash, (size_t)s->hash_size)->hash) return 0;
    }
    if (!d->bucket) return 1;
    d->known = d->level;
    return has_digits(s, d, s->paths + d->path, 0, d->level);
}

static int inner_fits(Proof *s, uint32_t number, uint32_t *apart) {
    const Draft *d = &s->drafts[number], *same = shown(s, d->hash);
    int64_t rest = d->length;
    int hidden = 0;
    /* One inode in two places has the same indices above it. */
    if (same != d && memcmp(s->paths + same->path, s->paths + d->path, d->level)) return 0;
    EACH_ENTRY(s, d, entry) {
        Draft *below = entry->kind == BELOW ? &s->drafts[entry->to] : shown(s, entry->hash);
        if (entry->kind == HIDDEN && below) {
            int done = fits_too(s, d, entry, below);
            if (done != 1) return done;
            if (*apart == NONE) *apart = number;
        }
        /* What is hidden has one entry at least. */
        int64_t n = !below ? 1 : below->inner ? below->length : below->n;
        hidden |= !below;
        if (n > rest) return 0;
        rest -= n;
    }
    return hidden || !rest;
}

/* A table of the `n` hashes, each `step` bytes after the one before. */
static int fill(Table *table, size_t n, const uint8_t *hash, size_t step, size_t size) {
    if (!table_init(table, n)) return -1;
    for (size_t i = 0; i < n; i++, hash += step) {
        Slot *slot = table_slot_of(table, hash, size);
        if (slot->hash) continue;
        slot->hash = hash;
        slot->number = i;
    }
    return 1;
}

int state_fits(Proof *s, uint32_t *apart) {
    size_t size = (size_t)s->hash_size;
    if (fill(&s->nodes, s->n_drafts, s->drafts[0].hash, sizeof *s->drafts, size) < 0 ||
        fill(&s->known, s->n_values, s->found, size, size) < 0)
        return -1;
    for (size_t i = 0; i < s->n_drafts; i++) {
        int done = s->drafts[i].inner ? 1 : flat_fits(s, &s->drafts[i]);
        if (done != 1) return done;
    }
    for (size_t i = 0; i < s->n_drafts; i++) {
        int done = s->drafts[i].inner ? inner_fits(s, (uint32_t)i, apart) : 1;
        if (done != 1) return done;
    }
    return 1;
}
