/* Finding the contents at a path below a stored directory (irminpy/tree/seek.py). */
#include "part.h"
#include "proof.h"
#include "record.h"
#include "seek.h"

int locate(PyObject *record, PyObject *step, int width, const Nodes *from, PyObject **node, Py_ssize_t *position) {
    uint8_t key[HASH];
    Py_ssize_t length;
    const char *text = utf8(step, &length);
    int done = text != NULL, hashed = 0;
    Py_INCREF(record);
    while (done == 1 && is_inode(record)) {
        PyObject *buckets = field(record, 1), *child = NULL;
        Py_ssize_t depth = size_of(field(record, 0)), k = PyBytes_GET_SIZE(buckets);
        if (depth < 0 || depth >= 8 * HASH / width || !regular_inode(record, k)) {
            done = 0;
            break;
        }
        if (!hashed) blake3_digest((const uint8_t *)text, (size_t)length, key);
        hashed = 1;
        const char *found = memchr(PyBytes_AS_STRING(buckets), (int)digit_of(key, depth, width), (size_t)k);
        if (!found) {
            *node = record;
            *position = -1;
            return 1;
        }
        done = open_bucket(record, found - PyBytes_AS_STRING(buckets), from, &child);
        if (child) Py_SETREF(record, child);
    }
    if (done == 1) done = is_node(record);
    if (done == 1) {
        PyObject *hashes = field(record, 2), *words = field(record, 4);
        /* They are mostly far away, and come while the dict is. */
        __builtin_prefetch(PyBytes_AS_STRING(hashes));
        __builtin_prefetch(PyBytes_AS_STRING(words));
        PyObject *found = PyDict_GetItemWithError(field(record, 0), step);
        Py_ssize_t n = PyBytes_GET_SIZE(field(record, 1));
        *position = found ? size_of(found) : -1;
        if (!found && PyErr_Occurred())
            done = -1;
        else if (*position >= n || (found && *position < 0) || n > MOST || !PyBytes_CheckExact(hashes) ||
                 PyBytes_GET_SIZE(hashes) != n * HASH || !PyBytes_CheckExact(words) ||
                 (PyBytes_GET_SIZE(words) && PyBytes_GET_SIZE(words) != 8 * n))
            done = 0;
    }
    if (done == 1)
        *node = record;
    else
        Py_DECREF(record);
    return done;
}

/* Where stored directories read from, asked once. */
typedef struct {
    PyObject *source, *values;
    Nodes nodes;
} Reads;

static void close_reads(Reads *r) {
    Py_CLEAR(r->source);
    Py_CLEAR(r->values);
    Py_CLEAR(r->nodes.recent);
}

/* Takes the reference to `source`. */
static int open_reads(State *state, Reads *r, PyObject *source) {
    if (r->source == source) {
        Py_XDECREF(source);
        return source ? 1 : -1;
    }
    close_reads(r);
    r->source = source;
    if (!source) return -1;
    PyObject *nodes = ATTRIBUTE(source, nodes), *values = nodes ? ATTRIBUTE(source, values) : NULL;
    r->nodes = (Nodes){nodes ? recent_of(state, nodes) : NULL, source, state->name[NAME_node]};
    r->values = values ? recent_of(state, values) : NULL;
    Py_XDECREF(nodes);
    Py_XDECREF(values);
    return r->nodes.recent && r->values ? 1 : -1;
}

/* The contents at position `i` of `node`, a new reference, kept in `now` under `step`. */
static PyObject *contents_at(State *state, Reads *r, PyObject *node, Py_ssize_t i, PyObject *now, PyObject *step) {
    PyObject *hash = PyBytes_FromStringAndSize(PyBytes_AS_STRING(field(node, 2)) + i * HASH, HASH), *data = NULL;
    if (!hash) return NULL;
    int placed = PyBytes_GET_SIZE(field(node, 4)) != 0;
    if (placed) data = in_cache(r->values, hash);
    if (!placed || data == Py_None) {
        PyObject *word = word_at(field(node, 4), i);
        Py_XDECREF(data);
        data = word ? PyObject_CallMethodObjArgs(r->source, state->name[NAME_contents], hash, word, NULL) : NULL;
        Py_XDECREF(word);
    }
    Py_DECREF(hash);
    if (data && !PyDict_SetDefault(now, step, data)) Py_CLEAR(data);
    return data;
}

/* The directory at position `i` of `node`, a new reference, or what `now` has under `step` by then. */
static PyObject *directory_at(State *state, PyTypeObject *type, Reads *r, PyObject *node, Py_ssize_t i, PyObject *now,
                              PyObject *step) {
    PyObject *opened = stored_at(state, type, r->source, node, i), *child = NULL;
    if (opened && PyBytes_GET_SIZE(field(node, 4))) {
        PyObject *hash = ATTRIBUTE(opened, hash), *record = hash ? in_cache(r->nodes.recent, hash) : NULL;
        Py_XDECREF(hash);
        /* An inner node might not be a root: `Stored.record` looks. */
        if (!record || (is_node(record) && size_of(field(record, 7)) == 0 &&
                        ASSIGN(opened, decoded, record) < 0))
            Py_CLEAR(opened);
        Py_XDECREF(record);
    }
    /* Two threads must end up with one object, which may have children in memory by now. */
    if (opened) child = Py_XNewRef(PyDict_SetDefault(now, step, opened));
    Py_XDECREF(opened);
    return child;
}

/* What `step` is bound to in the directory at position `i` of `node`, if that, flat, and the contents are at hand: then nothing
 * is made, and kept where it is already. NULL if not, or with an error set. */
static PyObject *at_hand(Reads *r, PyObject *node, Py_ssize_t i, PyObject *step) {
    if (!PyBytes_GET_SIZE(field(node, 4))) return NULL;
    PyObject *hash = PyBytes_FromStringAndSize(PyBytes_AS_STRING(field(node, 2)) + i * HASH, HASH), *data = NULL;
    PyObject *record = hash ? in_cache(r->nodes.recent, hash) : NULL, *flat = NULL;
    Py_XDECREF(hash);
    /* Not an inode, so that locating runs no Python. */
    if (record && is_node(record) && size_of(field(record, 7)) == 0 &&
        locate(record, step, 1, NULL, &flat, &i) == 1 && i >= 0 && PyBytes_GET_SIZE(field(flat, 4)) &&
        PyBytes_AS_STRING(field(flat, 1))[i] == 1) {
        hash = PyBytes_FromStringAndSize(PyBytes_AS_STRING(field(flat, 2)) + i * HASH, HASH);
        data = hash ? in_cache(r->values, hash) : NULL;
        Py_XDECREF(hash);
        if (data == Py_None) Py_CLEAR(data);
    }
    Py_XDECREF(record);
    Py_XDECREF(flat);
    return data;
}

/* What step number `i` leads to, position `at` of `node`: the answer, or the directory from which the next step leads on. */
static int go_on(State *state, PyTypeObject *type, Reads *r, PyObject *node, Py_ssize_t at, PyObject *now, PyObject *steps,
                 Py_ssize_t i, PyObject **answer, PyObject **child) {
    PyObject *step = PyTuple_GET_ITEM(steps, i);
    Py_ssize_t last = PyTuple_GET_SIZE(steps) - 1;
    char kind = PyBytes_AS_STRING(field(node, 1))[at];
    if (i == last) {
        if (kind == 2) return 0; /* with metadata */
        *answer = kind == 1 ? contents_at(state, r, node, at, now, step) : Py_NewRef(Py_None);
        return *answer ? 1 : -1;
    }
    if (kind) {
        *answer = Py_NewRef(Py_None);
        return 1;
    }
    if (i + 1 == last) *answer = at_hand(r, node, at, PyTuple_GET_ITEM(steps, last));
    if (!*answer && !PyErr_Occurred()) *child = directory_at(state, type, r, node, at, now, step);
    return *answer || *child ? 1 : -1;
}

/* find(directory, path, width, Stored) */
FUNCTION(find) {
    Py_ssize_t width;
    if (nargs != 4 || (width = size_of(args[2])) < 1 || width > 8 || !PyType_Check(args[3])) return REFER(find);
    PyObject *steps = steps_of(args[1]);
    if (!steps && PyErr_Occurred()) return NULL;
    if (!steps || !PyTuple_GET_SIZE(steps)) {
        Py_XDECREF(steps);
        return REFER(find);
    }
    State *state = state_of(module);
    PyTypeObject *type = (PyTypeObject *)args[3];
    learn(state, LAYOUT_STORED, type);
    PyObject *at = Py_NewRef(args[0]), *answer = NULL;
    Reads reads = {NULL};
    int done = 1;
    for (Py_ssize_t i = 0, last = PyTuple_GET_SIZE(steps) - 1; done == 1; i++) {
        PyObject *step = PyTuple_GET_ITEM(steps, i), *now = NULL, *child = NULL, *record = NULL, *node = NULL;
        Py_ssize_t position = -1;
        if (Py_TYPE(at) != type) {
            done = 0;
            break;
        }
        now = ATTRIBUTE(at, now);
        done = !now ? -1 : PyDict_CheckExact(now);
        if (done == 1) {
            child = Py_XNewRef(PyDict_GetItemWithError(now, step));
            if (!child && PyErr_Occurred()) done = -1;
        }
        if (done == 1 && !child) {
            done = open_reads(state, &reads, ATTRIBUTE(at, source));
            if (done == 1) {
                record = ATTRIBUTE(at, decoded);
                if (record == Py_None) Py_SETREF(record, record_of(state, at, &reads.nodes));
                done = record ? locate(record, step, (int)width, &reads.nodes, &node, &position) : -1;
            }
            if (done == 1)
                done = position < 0 ? (answer = Py_NewRef(Py_None), 1)
                                    : go_on(state, type, &reads, node, position, now, steps, i, &answer, &child);
        } else if (done == 1 && i == last) {
            /* Other than plain bytes is for Python to look at. */
            if (PyBytes_CheckExact(child))
                answer = Py_NewRef(child);
            else
                done = 0;
        }
        Py_XDECREF(now);
        Py_XDECREF(record);
        Py_XDECREF(node);
        if (done != 1 || answer) {
            Py_XDECREF(child);
            break;
        }
        Py_SETREF(at, child);
    }
    close_reads(&reads);
    Py_DECREF(steps);
    Py_DECREF(at);
    return done ? answer : REFER(find);
}

PyMethodDef find_methods[] = {
    METHOD(find, "The contents that steps lead to from a stored directory."),
    {NULL, NULL, 0, NULL},
};
