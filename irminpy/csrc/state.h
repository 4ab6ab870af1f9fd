/* The state of a tree proof in Irmin's form (docs/formats/irmin-proof.md): what reading it and the rules between its nodes have
 * in common. */
#ifndef IRMINPY_STATE_H
#define IRMINPY_STATE_H

#include "metadata.h"
#include "proof.h"
#include "table.h"

#define NONE UINT32_MAX
#define MOST_STATE (64 << 20)     /* bytes of a proof, so that no sum or product here comes near to overflowing */
#define LARGEST ((INT64_C(1) << 62) - 1) /* an int of OCaml */
#define LONGEST_HASH 64
#define SHORTEST_HASH 8 /* what the tables take a slot from */

enum { VALUE, HIDDEN_CONTENTS, HIDDEN, BELOW }; /* what an entry leads to; the last two are directories or buckets */
enum { NO_INODES, BITS, SEEDED, CUSTOM };       /* where digits come from */
#define NO_METADATA UINT32_MAX

/* An entry of a directory or a bucket, in the order of the bytes; the next one of the same node is `next`. */
typedef struct {
    const uint8_t *label; /* the bytes of a step */
    const uint8_t *hash;  /* of what is hidden, in the proof */
    uint32_t size;        /* of the step, or the index */
    uint32_t to;          /* number of the value, or of the node */
    uint32_t next;
    uint32_t own; /* bytes of the metadata, which stand behind the hash or the value; NO_METADATA for the default */
    uint8_t kind;
} Entry;

/* A node, a chain being as many as it has segments. */
typedef struct {
    int64_t length; /* entries below an inode */
    uint32_t parent, label; /* the node above it, and its entry there */
    uint32_t n, left;       /* entries, and those of them that were not begun */
    uint32_t first, last;
    uint32_t above; /* directories above it */
    uint32_t path;  /* where the indices that lead to it begin: as many as `level` */
    uint16_t level, known; /* `known`: that many digits were compared for all steps, see `state_rules.c` */
    uint8_t inner, bucket, listed; /* `listed`: written as a bucket is */
    uint8_t hash[LONGEST_HASH];
} Draft;

typedef struct {
    const uint8_t *data;
    size_t size;
} Value;

typedef struct {
    /* What is asked. */
    Py_ssize_t fanout, leaf, stable, levels, depth, room, objects, longest, hash_size;
    int tezos, own, order, width;   /* `own`: the hash is BLAKE2b; `width`: bits of a digit */
    PyObject *directory, *contents; /* what stands before a directory, and before contents */
    PyObject *digest;
    const uint8_t *empty;
    PyObject *digit;  /* the child of a step, where the order is the caller's */
    PyObject *usual;  /* the metadata of the default, which objects do not have */
    Metadata metadata;
    /* What was found. */
    Reader r;
    Draft *drafts;
    Entry *entries;
    Value *values;
    uint8_t *paths, *scratch, *found; /* `found`: the hashes of the values, joined */
    size_t n_drafts, n_entries, n_values, n_paths;
    size_t room_drafts, room_entries, room_values, room_paths, room_scratch;
    Table nodes, known; /* of nodes by hash, and of values; each has the number of one with this hash */
} Proof;

/* The metadata of the entry, if it has some. */
static inline const uint8_t *metadata_of(const Proof *s, const Entry *entry) {
    return entry->kind == VALUE ? s->values[entry->to].data + s->values[entry->to].size : entry->hash + s->hash_size;
}

/* The hash of `size` bytes: 1, 0 if it is none, -1 with an error set. */
int state_digest(Proof *s, const uint8_t *data, size_t size, uint8_t *out);

/* Whether all that refers to a node says of it what it is, see `check_shape` in `irminpy/proof/irmin/shape.py`: 1, 0 if not, -1
 * with an error set. `*apart` is the first node with a bucket that is hidden there and shown elsewhere, or NONE. */
int state_fits(Proof *s, uint32_t *apart);

/* What the entry leads to; only a hidden one has its hash before all is hashed. */
static inline const uint8_t *hash_of(const Proof *s, const Entry *entry) {
    return entry->kind == VALUE   ? s->found + (size_t)entry->to * (size_t)s->hash_size
           : entry->kind == BELOW ? s->drafts[entry->to].hash
                                  : entry->hash;
}

#define EACH_ENTRY(s, d, entry)                                                              \
    for (const Entry *entry = (d)->first == NONE ? NULL : &(s)->entries[(d)->first]; entry; \
         entry = entry->next == NONE ? NULL : &(s)->entries[entry->next])

#endif
