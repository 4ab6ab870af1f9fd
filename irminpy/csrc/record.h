/* Decoded nodes, as `irminpy.objects` has them: named tuples. */
#ifndef IRMINPY_RECORD_H
#define IRMINPY_RECORD_H

#include "core.h"
#include "blake3.h"
#include "cache.h"
#include "seek.h"

#define INODE 6 /* fields: depth, buckets, counts, hashes, words, head */
#define NODE 8  /* fields: index, kinds, hashes, metadata, words, head, links, place */

static inline PyObject *field(PyObject *record, Py_ssize_t i) { return PyTuple_GET_ITEM(record, i); }

static inline int is_inode(PyObject *record) {
    return PyTuple_Check(record) && PyTuple_GET_SIZE(record) == INODE && PyLong_CheckExact(field(record, 0)) &&
           PyBytes_CheckExact(field(record, 1)) && PyList_CheckExact(field(record, 2)) &&
           PyBytes_CheckExact(field(record, 3)) && PyBytes_CheckExact(field(record, 4));
}

static inline int is_node(PyObject *record) {
    return PyTuple_Check(record) && PyTuple_GET_SIZE(record) == NODE && PyDict_CheckExact(field(record, 0)) &&
           PyBytes_CheckExact(field(record, 1)) && PyLong_CheckExact(field(record, 7));
}

/* Whether `child` may stand where its parent of this depth states so many entries. */
static inline int fits(PyObject *child, Py_ssize_t depth, Py_ssize_t count) {
    if (is_node(child)) return PyBytes_GET_SIZE(field(child, 1)) == count && size_of(field(child, 7)) != 1;
    if (!is_inode(child) || size_of(field(child, 0)) != depth + 1) return 0;
    PyObject *counts = field(child, 2);
    Py_ssize_t total = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(counts); i++) {
        Py_ssize_t below = size_of(PyList_GET_ITEM(counts, i));
        if (below < 0 || below > count - total) return 0;
        total += below;
    }
    return total == count;
}

/* The collector of garbage need not look at a record: it holds texts, numbers and bytes only, in columns that nobody changes,
 * so that no way leads from it back to it. */
static inline void settled_record(PyObject *record) {
    PyObject *counts = PyTuple_GET_SIZE(record) == INODE ? field(record, 2) : NULL;
    if (counts && PyList_CheckExact(counts) && PyObject_GC_IsTracked(counts)) PyObject_GC_UnTrack(counts);
    if (PyObject_GC_IsTracked(record)) PyObject_GC_UnTrack(record);
}

/* Whether the inode has `k` children with a count and a hash each, and a word each, or none. */
static inline int regular_inode(PyObject *record, Py_ssize_t k) {
    PyObject *hashes = field(record, 3), *words = field(record, 4);
    return k <= 256 && PyList_GET_SIZE(field(record, 2)) == k && PyBytes_GET_SIZE(hashes) == k * HASH &&
           (!PyBytes_GET_SIZE(words) || PyBytes_GET_SIZE(words) == 8 * k);
}

/* Word number `i` of the column as an int, 0 if the column is empty. */
static inline PyObject *word_at(PyObject *words, Py_ssize_t i) {
    if (!PyBytes_GET_SIZE(words)) return PyLong_FromLong(0);
    return PyLong_FromUnsignedLongLong(u64((const uint8_t *)PyBytes_AS_STRING(words) + 8 * i));
}

/* Where nodes are read: `recent` has what is at hand, see `in_cache`; what is not `load` gives, which runs any Python, or, where a
 * name is there, its method of that name. */
typedef struct {
    PyObject *recent, *load, *name;
} Nodes;

/* The node with this hash, which lies at `word`, NULL for unknown, read whether it is at hand or not. NULL with an error set. */
static inline PyObject *load_at(const Nodes *from, PyObject *hash, PyObject *word) {
    return from->name ? PyObject_CallMethodObjArgs(from->load, from->name, hash, word, NULL)
                      : PyObject_CallFunctionObjArgs(from->load, hash, word, NULL);
}

/* The node with this hash, which lies at `word`. NULL with an error set. */
static inline PyObject *node_at(PyObject *hash, PyObject *word, const Nodes *from) {
    PyObject *found = in_cache(from->recent, hash);
    if (found == Py_None) Py_SETREF(found, load_at(from, hash, word));
    return found;
}

/* Whether the record may be the root of a directory. */
static inline int is_root(PyObject *record) {
    return is_node(record) ? size_of(field(record, 7)) != 2 : is_inode(record) && size_of(field(record, 0)) == 0;
}

/* Bucket number `i` of the regular inode, a new reference. 0 if it is not what the inode says, -1 with an error set. */
static inline int open_bucket(PyObject *record, Py_ssize_t i, const Nodes *from, PyObject **bucket) {
    PyObject *words = field(record, 4), *word = NULL, *child = NULL;
    PyObject *hash = PyBytes_FromStringAndSize(PyBytes_AS_STRING(field(record, 3)) + i * HASH, HASH);
    if (!hash) return -1;
    if (PyBytes_GET_SIZE(words)) {
        word = word_at(words, i);
        if (word) child = node_at(hash, word, from);
    } else {
        child = load_at(from, hash, NULL);
    }
    Py_DECREF(hash);
    Py_XDECREF(word);
    if (!child) return -1;
    *bucket = child;
    Py_ssize_t count = size_of(PyList_GET_ITEM(field(record, 2), i));
    return count >= 0 && fits(child, size_of(field(record, 0)), count);
}

/* Where `step` stands below `record`: in `node`, a new reference to a flat record with its columns, at `position`; -1 if it is
 * not there. 0 if that is not for C to say, -1 with an error set. */
int locate(PyObject *record, PyObject *step, int width, const Nodes *from, PyObject **node, Py_ssize_t *position);

/* The object of contents with the bytes `data`, of which there are at most MOST, and its hash: new references to bytes. NULL
 * with an error set. */
static inline PyObject *contents_of(State *state, PyObject *data, PyObject **hash) {
    Py_ssize_t size = PyBytes_GET_SIZE(data) + 1;
    PyObject *object = PyBytes_FromStringAndSize(NULL, size);
    if (!object) return NULL;
    PyBytes_AS_STRING(object)[0] = 'B';
    memcpy(PyBytes_AS_STRING(object) + 1, PyBytes_AS_STRING(data), (size_t)size - 1);
    if (size <= MOST_HASHED) {
        uint8_t digest[BLAKE3_SIZE];
        blake3_digest((const uint8_t *)PyBytes_AS_STRING(object), (size_t)size, digest);
        *hash = PyBytes_FromStringAndSize((const char *)digest, BLAKE3_SIZE);
    } else {
        *hash = PyObject_CallOneArg(state->reference[REF_digest], object);
        if (*hash && !(PyBytes_CheckExact(*hash) && PyBytes_GET_SIZE(*hash) == BLAKE3_SIZE)) {
            Py_CLEAR(*hash);
            PyErr_BadInternalCall();
        }
    }
    if (!*hash) Py_CLEAR(object);
    return object;
}

#endif
