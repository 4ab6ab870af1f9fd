/* Writing the nodes of a tree proof. */
#include "proof.h"
#include "table.h"

typedef struct {
    Table nodes, contents; /* what is revealed, claimed where the first place was found */
    PyTypeObject *flat, *inner;
    Py_ssize_t fanout;
    uint8_t *out;
    size_t size, room;
    PyObject **stack; /* nodes that are still to be written, which `nodes` holds */
    size_t n_stack, room_stack;
} Writing;

static int put(Writing *w, const void *data, size_t n) {
    if (n > MOST || !grow((void **)&w->out, &w->room, w->size, n, 1)) return 0;
    if (n) memcpy(w->out + w->size, data, n);
    w->size += n;
    return 1;
}

static int put_varint(Writing *w, uint64_t n) {
    uint8_t bytes[10];
    size_t k = 0;
    while (n > 127) {
        bytes[k++] = (uint8_t)(n & 127) | 128;
        n >>= 7;
    }
    bytes[k++] = (uint8_t)n;
    return put(w, bytes, k);
}

/* The revealed thing, borrowed, that `hash` leads to if this is the first place; else NULL. */
static PyObject *claim(const Table *from, const char *hash) {
    Slot *slot = table_slot(from, (const uint8_t *)hash);
    if (!slot->hash || slot->claimed) return NULL;
    slot->claimed = 1;
    return slot->item;
}

/* 1 if the node was written, 0 if that is for Python to do, -1 with an error set. */
static int write_flat(Writing *w, PyObject *node, PyObject **revealed) {
    PyObject *index = PyTuple_GET_ITEM(node, 0), *kinds = PyTuple_GET_ITEM(node, 1), *hashes = PyTuple_GET_ITEM(node, 2);
    PyObject *metadata = PyTuple_GET_ITEM(node, 3);
    if (!PyDict_CheckExact(index) || !PyBytes_CheckExact(kinds) || !PyBytes_CheckExact(hashes) ||
        !PyDict_CheckExact(metadata) || PyDict_GET_SIZE(metadata))
        return 0;
    size_t n = (size_t)PyDict_GET_SIZE(index);
    if (n > MOST / HASH || (size_t)PyBytes_GET_SIZE(kinds) != n || (size_t)PyBytes_GET_SIZE(hashes) != n * HASH) return 0;
    const char *hash = PyBytes_AS_STRING(hashes);
    size_t below = w->n_stack;
    if (!put_varint(w, 2 * n)) return -1;
    Py_ssize_t at = 0;
    PyObject *step;
    size_t entries = 0;
    while (PyDict_Next(index, &at, &step, NULL)) {
        Py_ssize_t length;
        if (!PyUnicode_CheckExact(step) || !PyUnicode_AsUTF8AndSize(step, &length)) {
            PyErr_Clear();
            return 0;
        }
        if (entries++ >= n || !put_varint(w, (uint64_t)length)) return PyErr_Occurred() ? -1 : 0;
    }
    if (entries != n) return 0;
    for (size_t i = 0; i < n; i++) {
        char kind = PyBytes_AS_STRING(kinds)[i];
        if (kind != 0 && kind != 1) return 0;
        revealed[i] = claim(kind ? &w->contents : &w->nodes, hash + i * HASH);
        uint8_t state = (uint8_t)kind | (revealed[i] ? 4 : 0);
        if (!put(w, &state, 1)) return -1;
        if (revealed[i] && !kind) {
            if (!grow((void **)&w->stack, &w->room_stack, w->n_stack, 1, sizeof *w->stack)) return -1;
            w->stack[w->n_stack++] = revealed[i];
        }
    }
    at = 0;
    while (PyDict_Next(index, &at, &step, NULL)) {
        Py_ssize_t length;
        const char *data = PyUnicode_AsUTF8AndSize(step, &length);
        if (!data || !put(w, data, (size_t)length)) return -1;
    }
    for (size_t i = 0; i < n; i++)
        if (!revealed[i] && !put(w, hash + i * HASH, HASH)) return -1;
    for (size_t i = 0; i < n; i++) {
        if (!revealed[i] || !PyBytes_AS_STRING(kinds)[i]) continue;
        if (!PyBytes_CheckExact(revealed[i])) return 0;
        size_t size = (size_t)PyBytes_GET_SIZE(revealed[i]);
        if (size > MOST) return 0;
        if (!put_varint(w, size) || !put(w, PyBytes_AS_STRING(revealed[i]), size)) return -1;
    }
    for (size_t i = below, j = w->n_stack; i + 1 < j; i++) {
        PyObject *other = w->stack[--j];
        w->stack[j] = w->stack[i];
        w->stack[i] = other;
    }
    return 1;
}

static int write_inner(Writing *w, PyObject *node) {
    PyObject *buckets = PyTuple_GET_ITEM(node, 1), *counts = PyTuple_GET_ITEM(node, 2), *hashes = PyTuple_GET_ITEM(node, 3);
    PyObject *revealed[256];
    if (!PyBytes_CheckExact(buckets) || !PyList_CheckExact(counts) || !PyBytes_CheckExact(hashes)) return 0;
    size_t k = (size_t)PyBytes_GET_SIZE(buckets);
    if (k > (size_t)w->fanout || (size_t)PyList_GET_SIZE(counts) != k || (size_t)PyBytes_GET_SIZE(hashes) != k * HASH)
        return 0;
    const char *hash = PyBytes_AS_STRING(hashes);
    uint8_t states[64] = {0}, tag = 1;
    size_t below = w->n_stack;
    for (size_t i = 0; i < k; i++) {
        unsigned bucket = (uint8_t)PyBytes_AS_STRING(buckets)[i];
        if (bucket >= (unsigned)w->fanout) return 0;
        revealed[i] = claim(&w->nodes, hash + i * HASH);
        states[bucket >> 2] |= (uint8_t)((revealed[i] ? 2 : 1) << (2 * (bucket & 3)));
        if (revealed[i]) {
            if (!grow((void **)&w->stack, &w->room_stack, w->n_stack, 1, sizeof *w->stack)) return -1;
            w->stack[w->n_stack++] = revealed[i];
        }
    }
    if (!put(w, &tag, 1) || !put(w, states, (size_t)(2 * w->fanout + 7) / 8)) return -1;
    for (size_t i = 0; i < k; i++) {
        Py_ssize_t count = size_of(PyList_GET_ITEM(counts, (Py_ssize_t)i));
        if (count < 0 || count == PY_SSIZE_T_MAX) return 0;
        if (!revealed[i] && !put_varint(w, (uint64_t)count)) return -1;
    }
    for (size_t i = 0; i < k; i++)
        if (!revealed[i] && !put(w, hash + i * HASH, HASH)) return -1;
    for (size_t i = below, j = w->n_stack; i + 1 < j; i++) {
        PyObject *other = w->stack[--j];
        w->stack[j] = w->stack[i];
        w->stack[i] = other;
    }
    return 1;
}

/* Puts what `dict` holds into the table: 1, or 0 where a key is no hash, or -1 with an error set. Nothing here runs code of
 * others, so that what was borrowed stays. */
static int fill(Table *table, PyObject *dict) {
    PyObject *key, *item;
    if (!table_init(table, (size_t)PyDict_GET_SIZE(dict))) return -1;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &item);) {
        if (!PyBytes_Check(key) || PyBytes_GET_SIZE(key) != HASH) return 0;
        const uint8_t *hash = (const uint8_t *)PyBytes_AS_STRING(key);
        *table_slot(table, hash) = (Slot){.hash = hash, .item = item};
    }
    return 1;
}

/* write_nodes(root, nodes, contents, fanout, flat, inner) */
FUNCTION(write_nodes) {
    if (nargs != 6 || !PyBytes_Check(args[0]) || PyBytes_GET_SIZE(args[0]) != HASH || !PyDict_CheckExact(args[1]) ||
        !PyDict_CheckExact(args[2]) || !plain_tuple(args[4]) || !plain_tuple(args[5]))
        return REFER(write_nodes);
    Writing w = {
        .flat = (PyTypeObject *)args[4],
        .inner = (PyTypeObject *)args[5],
        .fanout = size_of(args[3]),
    };
    PyObject **revealed = NULL, *answer = NULL;
    size_t room_revealed = 0;
    int done = w.fanout >= 2 && w.fanout <= 256 ? fill(&w.nodes, args[1]) : 0;
    if (done == 1) done = fill(&w.contents, args[2]);
    PyObject *root = done == 1 ? claim(&w.nodes, PyBytes_AS_STRING(args[0])) : NULL;
    if (root && grow((void **)&w.stack, &w.room_stack, 0, 1, sizeof *w.stack))
        w.stack[w.n_stack++] = root;
    else
        done = 0;
    while (done == 1 && w.n_stack) {
        PyObject *node = w.stack[--w.n_stack];
        if (Py_TYPE(node) == w.flat && PyTuple_GET_SIZE(node) == 8) {
            size_t n = PyDict_Check(PyTuple_GET_ITEM(node, 0)) ? (size_t)PyDict_GET_SIZE(PyTuple_GET_ITEM(node, 0)) : 0;
            done = grow((void **)&revealed, &room_revealed, 0, n + 1, sizeof *revealed) ? write_flat(&w, node, revealed) : -1;
        } else {
            done = Py_TYPE(node) == w.inner && PyTuple_GET_SIZE(node) == 6 ? write_inner(&w, node) : 0;
        }
    }
    if (done == 1) answer = PyBytes_FromStringAndSize((const char *)w.out, (Py_ssize_t)w.size);
    table_free(&w.nodes);
    table_free(&w.contents);
    PyMem_Free(w.out);
    PyMem_Free(w.stack);
    PyMem_Free(revealed);
    if (!answer && !PyErr_Occurred()) return REFER(write_nodes);
    return answer;
}

PyMethodDef write_nodes_methods[] = {
    METHOD(write_nodes, "The nodes of a tree proof as they are written down."),
    {NULL, NULL, 0, NULL},
};
