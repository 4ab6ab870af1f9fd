/* What of a tree proof was read: `read_nodes.c` fills it, `shared.c` looks at what is referred to twice. */
#ifndef IRMINPY_DRAFT_H
#define IRMINPY_DRAFT_H

#include "proof.h"

/* Where a node or value stands: which entry or bucket of which node; that of the root is the first of all. For a node also the
 * directories above it, inner nodes of its directory above it, and their digits. */
typedef struct {
    uint32_t parent, at, above;
    uint16_t level;
    uint8_t prefix[HASH];
} Place;

/* A node that was read. All columns lie in the bytes of the proof; `hash` and `count` are computed. */
typedef struct {
    const uint8_t *lengths, *states, *steps, *hashes, *metadata;
    uint32_t n; /* entries, or buckets */
    uint32_t n_metadata; /* entries with some */
    uint32_t size; /* of the steps, joined */
    uint8_t inner;
    uint8_t hash[HASH];
    int64_t count;
    Place place;
} Draft;

typedef struct {
    const uint8_t *data;
    size_t size;
    uint32_t parent, at;
} Value;

typedef struct {
    /* What is asked. */
    Py_ssize_t fanout, leaf, levels, depth, room, objects, longest;
    int width; /* bits of a digit */
    const uint8_t *empty;
    /* What was found. */
    Reader r;
    Draft *drafts;
    Place *places;
    Value *values;
    size_t n_drafts, n_places, n_values, room_drafts, room_places, room_values;
    uint8_t *scratch;
    size_t room_scratch;
    int empties;
} Reading;

/* Whether a hash has the digits of a place. */
static inline int has_digits(const uint8_t *key, const Place *place, int width) {
    unsigned bits = (unsigned)place->level * (unsigned)width, whole = bits >> 3, rest = bits & 7;
    if (memcmp(key, place->prefix, whole)) return 0;
    return !rest || !((key[whole] ^ place->prefix[whole]) >> (8 - rest));
}

/* What is done with an entry: its kind, and 4 more if it is revealed. */
static inline unsigned kind_of(uint8_t state) { return state & 3; }
static inline int reveals(uint8_t state) { return state >> 2; }

/* What is done with the bucket `i` of an inner node: 0 if there is none, 1 if it is blinded, 2 if it is revealed. */
static inline unsigned bucket_state(const Draft *d, size_t i) { return d->states[i >> 2] >> (2 * (i & 3)) & 3; }

/* The next of the lengths of steps, which were read before: each has one or two bytes. */
static inline size_t next_length(const uint8_t **at) {
    size_t n = *(*at)++;
    return n < 128 ? n : (n & 127) | (size_t)*(*at)++ << 7;
}

/* The place of the bucket `i` of the inner node with this number. */
static inline Place bucket_place(const Reading *g, size_t number, size_t i) {
    Place found = g->drafts[number].place;
    /* A digit lies in at most two bytes, and what was there before it is 0. */
    unsigned start = (unsigned)found.level * (unsigned)g->width, byte = start >> 3;
    unsigned window = (unsigned)i << (16 - g->width - (start & 7));
    found.prefix[byte] |= (uint8_t)(window >> 8);
    if (byte + 1 < HASH) found.prefix[byte + 1] |= (uint8_t)window;
    found.level++;
    found.parent = (uint32_t)number;
    found.at = (uint32_t)i;
    return found;
}

/* Whether something that is referred to twice is not as it has to be, see `shared.c`; -1 with an error set. */
int shared_oddly(const Reading *g, const uint8_t *found);

#endif
