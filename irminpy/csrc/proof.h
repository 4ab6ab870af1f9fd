/* Tree proofs of the native format (docs/formats/proof.md, "Nodes"): what reading and writing them has in common.
 *
 * Both functions answer only for what is right and usual. For the rest, as the rule is, they hand the call to `_nodes`, which
 * has no answer: then `irminpy/proof/compact.py` goes through the nodes one by one, decides, and knows what to say. */
#ifndef IRMINPY_PROOF_H
#define IRMINPY_PROOF_H

#include "core.h"
#include "blake3.h"
#include "msgpack.h"
#include "seek.h"

#define MOST 0x7FFFFFFF /* of the bytes of a proof, or of an object: sums of a few of them stay far from overflowing */

/* Whether there is room for `more` items of `size` bytes each, behind the `used` ones; else MemoryError is set. */
static inline int grow(void **items, size_t *room, size_t used, size_t more, size_t size) {
    if (*room - used >= more) return 1;
    size_t wanted = 2 * (used + more) + 16;
    void *found = wanted > (size_t)PY_SSIZE_T_MAX / size ? NULL : PyMem_Realloc(*items, wanted * size);
    if (!found) {
        PyErr_NoMemory();
        return 0;
    }
    *items = found;
    *room = wanted;
    return 1;
}

/* Whether `type` is a class of named tuples, whose instances are what tuples are. */
static inline int plain_tuple(PyObject *type) {
    return PyType_Check(type) && PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type) &&
           ((PyTypeObject *)type)->tp_alloc == PyType_GenericAlloc &&
           ((PyTypeObject *)type)->tp_basicsize == PyTuple_Type.tp_basicsize &&
           ((PyTypeObject *)type)->tp_itemsize == PyTuple_Type.tp_itemsize;
}

/* The number that stands next; -1 if none does, or not as short as can be. */
static inline int64_t varint(Reader *r) {
    uint64_t n = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        if (r->at == r->end) return -1;
        uint8_t byte = *r->at++;
        n |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return byte || !shift ? (int64_t)n : -1;
    }
    return -1;
}

/* The next `n` bytes; NULL if there are not so many. */
static inline const uint8_t *take(Reader *r, size_t n) {
    const uint8_t *at = r->at;
    if (n > left(r)) return NULL;
    r->at += n;
    return at;
}

#endif
