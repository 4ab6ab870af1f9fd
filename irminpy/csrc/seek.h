/* Looking through the bytes of a node. */
#ifndef IRMINPY_SEEK_H
#define IRMINPY_SEEK_H

#include "core.h"

typedef struct {
    int64_t entries;     /* of the node, or below the inode */
    int64_t columns;     /* children: entries, or buckets */
    int64_t position;    /* of the child that was sought, or -1 */
    int64_t below;       /* entries of the bucket; 0 in a node */
    int kind;            /* of the entry */
    const uint8_t *hash; /* of the child */
} Sought;

/* What `step`, of `length` bytes, leads to in the node of `size` bytes; 0 where that is not for C to say. */
int seek_in_node(const uint8_t *data, Py_ssize_t size, Py_ssize_t hash_size, Py_ssize_t leaf, const char *step,
                 Py_ssize_t length, Sought *found);

/* The same of a digit in an inode. */
int seek_in_inode(const uint8_t *data, Py_ssize_t size, Py_ssize_t hash_size, Py_ssize_t fanout, Py_ssize_t leaf,
                  Py_ssize_t depth, Py_ssize_t digit, Sought *found);

#define HASH 32 /* bytes of every hash of the native format */

/* Bits [depth * width, (depth + 1) * width) of the key, the first bit being the highest; they are there. */
static inline Py_ssize_t digit_of(const uint8_t key[HASH], int64_t depth, int width) {
    int64_t start = depth * width, at = start >> 3;
    uint32_t window = (uint32_t)key[at] << 8 | (at + 1 < HASH ? key[at + 1] : 0);
    return (Py_ssize_t)(window >> (16 - width - (start & 7)) & ((1u << width) - 1));
}

#endif
