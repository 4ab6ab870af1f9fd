/* Going down the inner nodes of a large directory to the bucket that a step belongs to. */
#include "proof.h"
#include "record.h"

/* The columns of an inner node of `fanout` buckets at most; borrowed from it. */
typedef struct {
    Py_ssize_t depth, k, size;
    PyObject *counts;
    const char *buckets, *hashes;
} Inner;

/* Whether `record` is an inner node with a count for each bucket, and none of its children is known to lie anywhere. */
static int inner_of(PyObject *record, PyTypeObject *type, Inner *found) {
    if (Py_TYPE(record) != type || PyTuple_GET_SIZE(record) != 6) return 0;
    PyObject *buckets = PyTuple_GET_ITEM(record, 1), *hashes = PyTuple_GET_ITEM(record, 3);
    PyObject *words = PyTuple_GET_ITEM(record, 4);
    found->counts = PyTuple_GET_ITEM(record, 2);
    found->depth = size_of(PyTuple_GET_ITEM(record, 0));
    if (found->depth < 0 || !PyBytes_CheckExact(buckets) || !PyBytes_CheckExact(hashes) || !PyBytes_CheckExact(words) ||
        PyBytes_GET_SIZE(words) || !PyList_CheckExact(found->counts))
        return 0;
    found->k = PyBytes_GET_SIZE(buckets);
    if (!found->k || PyList_GET_SIZE(found->counts) != found->k || PyBytes_GET_SIZE(hashes) % found->k) return 0;
    found->size = PyBytes_GET_SIZE(hashes) / found->k;
    found->buckets = PyBytes_AS_STRING(buckets);
    found->hashes = PyBytes_AS_STRING(hashes);
    return 1;
}

/* bucket_of(record, key, width, load, flat, inner) */
FUNCTION(bucket_of) {
    if (nargs != 6 || !PyBytes_CheckExact(args[1]) || !PyType_Check(args[4]) || !PyType_Check(args[5]) ||
        !plain_tuple(args[4]) || !plain_tuple(args[5]))
        return REFER(bucket_of);
    Py_ssize_t width = size_of(args[2]), bits = 8 * PyBytes_GET_SIZE(args[1]);
    PyTypeObject *flat = (PyTypeObject *)args[4], *inner = (PyTypeObject *)args[5];
    const uint8_t *key = (const uint8_t *)PyBytes_AS_STRING(args[1]);
    if (width < 1 || width > 8) return REFER(bucket_of);
    /* What `load` runs may do anything: this one reference is ours. */
    PyObject *record = Py_NewRef(args[0]);
    Inner node;
    while (inner_of(record, inner, &node) && node.depth < bits / width) {
        Py_ssize_t start = node.depth * width, at = start >> 3;
        unsigned window = (unsigned)key[at] << 8 | (at + 1 < bits / 8 ? key[at + 1] : 0);
        char wanted = (char)(window >> (16 - width - (start & 7)) & ((1u << width) - 1));
        const char *found = memchr(node.buckets, wanted, (size_t)node.k);
        if (!found) {
            Py_DECREF(record);
            Py_RETURN_NONE;
        }
        Py_ssize_t i = found - node.buckets, count = size_of(PyList_GET_ITEM(node.counts, i));
        PyObject *hash = PyBytes_FromStringAndSize(node.hashes + i * node.size, node.size);
        PyObject *child = hash ? PyObject_CallOneArg(args[3], hash) : NULL;
        Py_XDECREF(hash);
        if (!child) {
            Py_DECREF(record);
            return NULL;
        }
        if (count < 0 || count > MOST || !((Py_TYPE(child) == flat || Py_TYPE(child) == inner) && fits(child, node.depth, count))) {
            Py_DECREF(child);
            break;
        }
        Py_SETREF(record, child);
    }
    return record;
}

PyMethodDef bucket_methods[] = {
    METHOD(bucket_of, "The record that a step belongs to, below one of a large directory."),
    {NULL, NULL, 0, NULL},
};
