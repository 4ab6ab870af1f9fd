/* Hashing what is new: directories that lie on no other, and parts of directories that are made of rows. */
#ifndef IRMINPY_PLANT_H
#define IRMINPY_PLANT_H

#include "part.h"
#include "proof.h"
#include "record.h"
#include "seek.h"

/* A step of a directory, and what it leads to. */
typedef struct {
    PyObject *step, *child;
    const char *text;
    size_t size;
    uint64_t word; /* where that lies; 0 for unknown */
    uint8_t kind, hash[HASH], key[HASH];
} Entry;

/* What is made, and what is asked. */
typedef struct {
    State *state;
    PyTypeObject *staged, *stored;
    PyObject *line, *pool;
    Py_ssize_t fanout, flat, leaf;
    int width, keep;
    PyObject *contents, *nodes;
    PyObject *hints; /* the words of the children of each node, or NULL where there are none */
    Py_ssize_t values, directories;
} Planting;

/* In all that follows: 1 if it is done, 0 if that is for Python to do, -1 with an error set. */

/* The steps and children of a staged directory of the line that lies on no other: a new reference. */
int plant_children(Planting *p, PyObject *staged, PyObject **now);

/* The directory with these children, `above` others, and all that is below it; if `kept`, what it is in memory. */
int plant_directory(Planting *p, PyObject *now, int above, int kept, uint8_t hash[HASH], PyObject **stored);

/* The part of a directory with these rows, `depth` levels down, the parts below it first. Their keys are known where they are
 * more than a flat object holds. */
int plant_rows(Planting *p, Entry **rows, size_t n, Py_ssize_t depth, uint8_t hash[HASH]);

/* In the order of the steps, which is that of Python's texts. */
void plant_sort(Entry **rows, size_t n);

/* The key of the row, which its digits are taken from. */
static inline void hash_step(Entry *row) { blake3_digest((const uint8_t *)row->text, row->size, row->key); }

/* How many bytes there are before the hashes of a flat object with `n` entries, whose steps take so many with their heads. */
static inline size_t flat_head(size_t n, size_t steps) { return 2 + array_head(n) + steps + bin_head(n) + n + bin_head(n * HASH); }

/* The head of an inner node with `n` buckets: its size, and its bytes. */
static inline size_t inner_head(const Planting *p, Py_ssize_t depth, const size_t *counts, size_t n) {
    size_t size = 2 + count_size((uint64_t)p->fanout) + count_size((uint64_t)p->leaf) + count_size((uint64_t)depth) +
                  bin_head(n) + n + array_head(n) + bin_head(n * HASH);
    for (size_t i = 0; i < n; i++) size += count_size(counts[i]);
    return size;
}

static inline uint8_t *put_inner_head(const Planting *p, Py_ssize_t depth, const uint8_t *buckets, const size_t *counts, size_t n,
                                      uint8_t *at) {
    *at++ = 'I';
    at = put_count(put_count(put_count(put_array(at, 6), (uint64_t)p->fanout), (uint64_t)p->leaf), (uint64_t)depth);
    at = put_array(put_bin(at, (const char *)buckets, n), n);
    for (size_t i = 0; i < n; i++) at = put_count(at, counts[i]);
    return put_bin_head(at, n * HASH);
}

#endif
