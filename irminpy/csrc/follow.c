/* Following a path through nodes that are at hand, decoded or as canonical bytes, and noting them. */
#include "proof.h"
#include "record.h"

enum { STOP, NOWHERE, FOUND }; /* what looking into one node comes to; -1 with an error set */

/* What does not change on the way. */
typedef struct {
    PyObject *recent, *load, *noted, *opened;
    PyObject *held; /* the dict that `recent` is the method `get` of, or NULL */
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
    at->word = PyBytes_GET_SIZE(words) ? u64((const uint8_t *)PyBytes_AS_STRING(words) + 8 * i) : 0;
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

/* The dict that a callable is the method `get` of: asking it costs no call. */
static PyObject *dict_behind(PyObject *recent) {
    PyObject *self = PyCFunction_CheckExact(recent) ? PyCFunction_GET_SELF(recent) : NULL;
    return self && PyDict_CheckExact(self) && !strcmp(((PyCFunctionObject *)recent)->m_ml->ml_name, "get") ? self : NULL;
}

/* What `recent` gives, a new reference. */
static PyObject *at_hand(const Way *w, PyObject *hash) {
    if (!w->held) return PyObject_CallOneArg(w->recent, hash);
    PyObject *found = PyDict_GetItemWithError(w->held, hash);
    return found ? Py_NewRef(found) : PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* Looks into the node at `at`, if it is at hand and what it should be, notes it, and moves on to what the step leads to. */
static int look(const Way *w, Step *step, Place *at, int *kind) {
    uint64_t word = at->word;
    PyObject *hash = PyBytes_FromStringAndSize((const char *)at->hash, HASH);
    if (!hash) return -1;
    /* Where nothing is loaded, all that is noted is at hand. */
    PyObject *record = w->load != Py_None ? PyDict_GetItemWithError(w->noted, hash) : NULL;
    int known = record != NULL;
    if (known)
        Py_INCREF(record);
    else if (!PyErr_Occurred() && (word || !w->locates))
        record = at_hand(w, hash);
    if (w->load != Py_None && (record ? record == Py_None : !PyErr_Occurred())) {
        PyObject *lies = PyLong_FromUnsignedLongLong(word);
        Py_XDECREF(record);
        record = lies ? PyObject_CallFunctionObjArgs(w->load, hash, lies, NULL) : NULL;
        Py_XDECREF(lies);
    }
    int done = record || !PyErr_Occurred() ? STOP : -1;
    if (!record) {
        Py_DECREF(hash);
        return done;
    }
    if (done == STOP) {
        if (Py_TYPE(record) == w->flat && PyTuple_GET_SIZE(record) == NODE)
            done = in_flat(record, step, at, kind);
        else if (Py_TYPE(record) == w->inner && PyTuple_GET_SIZE(record) == INODE)
            done = in_inner(w, record, step, at, kind);
        else if (PyBytes_CheckExact(record))
            done = in_bytes(w, record, step, at, kind);
    }
    if (done > STOP && !known && !PyDict_SetDefault(w->noted, hash, record)) done = -1;
    Py_DECREF(record);
    Py_DECREF(hash);
    return done;
}

/* What `opened` has for all steps but the last, and where they start: the name of the directory that they lead to. */
static PyObject *name_of(PyObject *start, PyObject *steps) {
    Py_ssize_t n = PyList_GET_SIZE(steps);
    PyObject *name = PyTuple_New(n);
    if (!name) return NULL;
    PyTuple_SET_ITEM(name, 0, Py_NewRef(start));
    for (Py_ssize_t i = 1; i < n; i++) PyTuple_SET_ITEM(name, i, Py_NewRef(PyList_GET_ITEM(steps, i - 1)));
    return name;
}

/* Whether `opened` knows the directory `name`, which `at` is set to then; -1 with an error set. */
static int recall(const Way *w, PyObject *name, Place *at) {
    PyObject *found = PyDict_GetItemWithError(w->opened, name);
    if (!found) return PyErr_Occurred() ? -1 : 0;
    if (!PyTuple_CheckExact(found) || PyTuple_GET_SIZE(found) != 2) return 0;
    PyObject *hash = field(found, 0), *word = field(found, 1);
    if (!PyBytes_CheckExact(hash) || PyBytes_GET_SIZE(hash) != HASH || !PyLong_CheckExact(word)) return 0;
    uint64_t lies = PyLong_AsUnsignedLongLong(word);
    if (lies == (uint64_t)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    memcpy(at->hash, PyBytes_AS_STRING(hash), HASH);
    at->word = lies;
    return 1;
}

static int remember(const Way *w, PyObject *name, const Place *at) {
    PyObject *items[] = {
        PyBytes_FromStringAndSize((const char *)at->hash, HASH),
        PyLong_FromUnsignedLongLong(at->word),
    };
    PyObject *found = tuple_of(2, items);
    int done = found ? PyDict_SetItem(w->opened, name, found) : -1;
    Py_XDECREF(found);
    return done;
}

/* follow(recent, load, noted, opened, hash, word, steps, fanout, leaf, locates, empty, flat, inner) */
FUNCTION(follow) {
    if (nargs != 13 || !PyDict_CheckExact(args[2]) || !PyDict_CheckExact(args[3]) || !PyBytes_Check(args[4]) ||
        PyBytes_GET_SIZE(args[4]) != HASH || !PyLong_CheckExact(args[5]) || !PyList_CheckExact(args[6]) ||
        !PyBytes_CheckExact(args[10]) || PyBytes_GET_SIZE(args[10]) != HASH || !plain_tuple(args[11]) || !plain_tuple(args[12]))
        return REFER(follow);
    Way w = {
        .recent = args[0],
        .held = dict_behind(args[0]),
        .load = args[1],
        .noted = args[2],
        .opened = args[3],
        .flat = (PyTypeObject *)args[11],
        .inner = (PyTypeObject *)args[12],
        .fanout = size_of(args[7]),
        .leaf = size_of(args[8]),
        .locates = args[9] == Py_True,
    };
    if (w.fanout < 2 || w.fanout > 256 || w.leaf < 0 || !PyBool_Check(args[9])) return REFER(follow);
    while (w.fanout >> w.width > 1) w.width++;
    if (w.fanout != (Py_ssize_t)1 << w.width) return REFER(follow);
    Place at = {.entries = -1}, start;
    memcpy(at.hash, PyBytes_AS_STRING(args[4]), HASH);
    at.word = PyLong_AsUnsignedLongLong(args[5]);
    if (at.word == (uint64_t)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return REFER(follow);
    }
    const char *empty = PyBytes_AS_STRING(args[10]);
    PyObject *steps = args[6], *name = NULL, *answer = NULL;
    Py_ssize_t n = 0, last = PyList_GET_SIZE(steps) - 1;
    int done = FOUND, kind = 0;
    if (last > 0) {
        name = name_of(args[4], steps);
        int recalled = name ? recall(&w, name, &at) : -1;
        if (recalled < 0) done = -1;
        if (recalled) {
            Py_CLEAR(name);
            n = last;
        }
    }
    /* What `recent` runs may change the list: its length is read anew. */
    while (done == FOUND && n < PyList_GET_SIZE(steps)) {
        if (kind || !memcmp(at.hash, empty, HASH)) {
            done = NOWHERE;
            break;
        }
        if (n == last && name && remember(&w, name, &at) < 0) {
            done = -1;
            break;
        }
        Step step = {.text = Py_NewRef(PyList_GET_ITEM(steps, n))};
        start = at;
        step.data = utf8(step.text, &step.size);
        done = step.data ? FOUND : STOP;
        do {
            if (done == FOUND) done = look(&w, &step, &at, &kind);
        } while (done == FOUND && kind == BUCKET);
        Py_DECREF(step.text);
        if (done == STOP) {
            at = start;
            kind = 0;
        } else {
            n++;
        }
        at.depth = 0;
        at.entries = -1;
    }
    if (done == NOWHERE) {
        answer = Py_NewRef(Py_None);
    } else if (done >= STOP) {
        PyObject *items[] = {
            PyLong_FromSsize_t(n), PyLong_FromLong(kind), PyBytes_FromStringAndSize((const char *)at.hash, HASH),
            PyLong_FromUnsignedLongLong(at.word),
        };
        answer = tuple_of(4, items);
    }
    Py_XDECREF(name);
    return answer;
}

PyMethodDef follow_methods[] = {
    METHOD(follow, "Where steps lead to, as far as the nodes on the way are at hand."),
    {NULL, NULL, 0, NULL},
};
