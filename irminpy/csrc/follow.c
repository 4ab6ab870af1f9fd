/* Following a path through nodes that are at hand, decoded or as canonical bytes, and noting them. */
#include "proof.h"

enum { STOP, NOWHERE, FOUND }; /* what looking into one node comes to; -1 with an error set */

/* What does not change on the way. */
typedef struct {
    PyObject *recent, *noted;
    PyTypeObject *flat, *inner;
    Py_ssize_t fanout, leaf;
    int width, locates;
} Way;

/* Where it stands: at a node with this hash and word, that many inner nodes below its directory's root, which `entries`
 * are said to be in (-1: nothing is said). */
typedef struct {
    uint8_t hash[HASH];
    uint64_t word;
    Py_ssize_t depth, entries;
} Place;

/* The step that is looked for, and its hash once that is needed. */
typedef struct {
    PyObject *text;
    const char *data;
    Py_ssize_t size;
    int hashed;
    uint8_t key[HASH];
} Step;

static inline PyObject *field(PyObject *record, Py_ssize_t i) { return PyTuple_GET_ITEM(record, i); }

static Py_ssize_t next_digit(const Way *w, Step *step, Py_ssize_t depth) {
    if (!step->hashed) blake3_digest((const uint8_t *)step->data, (size_t)step->size, step->key);
    step->hashed = 1;
    return digit_of(step->key, depth, w->width);
}

/* Whether there are the hashes of `n` children in `hashes`, and as many words or none in `words`. */
static int columns(PyObject *hashes, PyObject *words, Py_ssize_t n) {
    return PyBytes_CheckExact(hashes) && n <= MOST / HASH && PyBytes_GET_SIZE(hashes) == n * HASH &&
           PyBytes_CheckExact(words) && (!PyBytes_GET_SIZE(words) || PyBytes_GET_SIZE(words) == 8 * n);
}

/* Goes on to the child at position `i` of these columns. */
static void to_child(Place *at, PyObject *hashes, PyObject *words, Py_ssize_t i) {
    memcpy(at->hash, PyBytes_AS_STRING(hashes) + i * HASH, HASH);
    at->word = 0;
    if (PyBytes_GET_SIZE(words))
        for (int k = 7; k >= 0; k--) at->word = at->word << 8 | (uint8_t)PyBytes_AS_STRING(words)[8 * i + k];
}

/* Each of these moves `at` on to what the step leads to, `kind` being that of an entry, or BUCKET. */
#define BUCKET (-1)

static int in_flat(PyObject *record, const Step *step, Place *at, int *kind) {
    PyObject *index = field(record, 0), *kinds = field(record, 1), *hashes = field(record, 2), *words = field(record, 4);
    if (!PyDict_CheckExact(index) || !PyBytes_CheckExact(kinds)) return STOP;
    Py_ssize_t n = PyBytes_GET_SIZE(kinds);
    /* 1 is the place of a directory only, 2 that of a bucket only. */
    if (!columns(hashes, words, n) || (at->entries >= 0 && at->entries != n) ||
        size_of(field(record, 7)) == (at->depth ? 1 : 2))
        return STOP;
    PyObject *position = PyDict_GetItemWithError(index, step->text);
    if (!position) return PyErr_Occurred() ? -1 : NOWHERE;
    Py_ssize_t i = size_of(position);
    if (i < 0 || i >= n) return STOP;
    *kind = (uint8_t)PyBytes_AS_STRING(kinds)[i];
    to_child(at, hashes, words, i);
    return FOUND;
}

static int in_inner(const Way *w, PyObject *record, Step *step, Place *at, int *kind) {
    PyObject *buckets = field(record, 1), *counts = field(record, 2), *hashes = field(record, 3), *words = field(record, 4);
    if (size_of(field(record, 0)) != at->depth || !PyBytes_CheckExact(buckets) || !PyList_CheckExact(counts) ||
        (at->depth + 1) * w->width > 8 * HASH)
        return STOP;
    Py_ssize_t k = PyBytes_GET_SIZE(buckets), total = 0, below = -1;
    if (PyList_GET_SIZE(counts) != k || !columns(hashes, words, k)) return STOP;
    const char *first = PyBytes_AS_STRING(buckets), *found = memchr(first, (int)next_digit(w, step, at->depth), (size_t)k);
    for (Py_ssize_t i = 0; i < k; i++) {
        Py_ssize_t count = size_of(PyList_GET_ITEM(counts, i));
        if (count < 0 || count > PY_SSIZE_T_MAX - total) return STOP;
        total += count;
        if (found == first + i) below = count;
    }
    if (at->entries >= 0 && total != at->entries) return STOP;
    if (!found) return NOWHERE;
    at->entries = below;
    at->depth++;
    *kind = BUCKET;
    to_child(at, hashes, words, found - first);
    return FOUND;
}

static int in_bytes(const Way *w, PyObject *record, Step *step, Place *at, int *kind) {
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(record);
    Py_ssize_t size = PyBytes_GET_SIZE(record);
    Sought found;
    int inner = size > 0 && data[0] == 'I';
    if (inner) {
        if ((at->depth + 1) * w->width > 8 * HASH ||
            !seek_in_inode(data, size, HASH, w->fanout, w->leaf, at->depth, next_digit(w, step, at->depth), &found))
            return STOP;
    } else if (!seek_in_node(data, size, HASH, w->leaf, step->data, step->size, &found)) {
        return STOP;
    }
    if (at->entries >= 0 && found.entries != at->entries) return STOP;
    if (found.position < 0) return NOWHERE;
    at->entries = inner ? (Py_ssize_t)found.below : -1;
    at->depth += inner;
    at->word = 0;
    *kind = inner ? BUCKET : found.kind;
    memcpy(at->hash, found.hash, HASH);
    return FOUND;
}

/* Looks into the node at `at`, if it is at hand and what it should be, notes it, and moves on to what the step leads to. */
static int look(const Way *w, Step *step, Place *at, int *kind) {
    if (w->locates && !at->word) return STOP;
    PyObject *hash = PyBytes_FromStringAndSize((const char *)at->hash, HASH);
    PyObject *record = hash ? PyObject_CallOneArg(w->recent, hash) : NULL;
    int done = record ? STOP : -1;
    if (done == STOP) {
        if (Py_TYPE(record) == w->flat && PyTuple_GET_SIZE(record) == 8)
            done = in_flat(record, step, at, kind);
        else if (Py_TYPE(record) == w->inner && PyTuple_GET_SIZE(record) == 6)
            done = in_inner(w, record, step, at, kind);
        else if (PyBytes_CheckExact(record))
            done = in_bytes(w, record, step, at, kind);
    }
    if (done > STOP && !PyDict_SetDefault(w->noted, hash, record)) done = -1;
    Py_XDECREF(record);
    Py_XDECREF(hash);
    return done;
}

/* follow(recent, noted, hash, word, steps, fanout, leaf, locates, empty, flat, inner) */
FUNCTION(follow) {
    if (nargs != 11 || !PyDict_CheckExact(args[1]) || !PyBytes_Check(args[2]) || PyBytes_GET_SIZE(args[2]) != HASH ||
        !PyLong_CheckExact(args[3]) || !PyList_CheckExact(args[4]) || !PyBytes_CheckExact(args[8]) ||
        PyBytes_GET_SIZE(args[8]) != HASH || !plain_tuple(args[9]) || !plain_tuple(args[10]))
        return REFER(follow);
    Way w = {
        .recent = args[0],
        .noted = args[1],
        .flat = (PyTypeObject *)args[9],
        .inner = (PyTypeObject *)args[10],
        .fanout = size_of(args[5]),
        .leaf = size_of(args[6]),
        .locates = args[7] == Py_True,
    };
    if (w.fanout < 2 || w.fanout > 256 || w.leaf < 0 || !PyBool_Check(args[7])) return REFER(follow);
    while (w.fanout >> w.width > 1) w.width++;
    if (w.fanout != (Py_ssize_t)1 << w.width) return REFER(follow);
    Place at = {.entries = -1}, start;
    memcpy(at.hash, PyBytes_AS_STRING(args[2]), HASH);
    at.word = PyLong_AsUnsignedLongLong(args[3]);
    if (at.word == (uint64_t)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return REFER(follow);
    }
    const char *empty = PyBytes_AS_STRING(args[8]);
    PyObject *steps = args[4];
    Py_ssize_t n = 0;
    int done = FOUND, kind = 0;
    /* What `recent` runs may change the list: its length is read anew. */
    while (done == FOUND && n < PyList_GET_SIZE(steps)) {
        if (kind || !memcmp(at.hash, empty, HASH)) Py_RETURN_NONE;
        Step step = {.text = Py_NewRef(PyList_GET_ITEM(steps, n))};
        start = at;
        step.data = utf8(step.text, &step.size);
        done = step.data ? FOUND : STOP;
        do {
            if (done == FOUND) done = look(&w, &step, &at, &kind);
        } while (done == FOUND && kind == BUCKET);
        Py_DECREF(step.text);
        if (done < STOP) return NULL;
        if (done == NOWHERE) Py_RETURN_NONE;
        if (done == STOP) {
            at = start;
            kind = 0;
            break;
        }
        at.depth = 0;
        at.entries = -1;
        n++;
    }
    PyObject *items[] = {
        PyLong_FromSsize_t(n), PyLong_FromLong(kind), PyBytes_FromStringAndSize((const char *)at.hash, HASH),
        PyLong_FromUnsignedLongLong(at.word),
    };
    return tuple_of(4, items);
}

PyMethodDef follow_methods[] = {
    METHOD(follow, "Where steps lead to, as far as the nodes on the way are at hand."),
    {NULL, NULL, 0, NULL},
};
