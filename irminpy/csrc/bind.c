/* Binding a path below a stored directory to another value (irminpy/tree/edit.py). */
#include "part.h"
#include "proof.h"
#include "record.h"
#include "seek.h"

/* A stored directory on the way, and the step that leads on. */
typedef struct {
    PyObject *view, *record, *step;
} Level;

typedef struct {
    State *state;
    PyTypeObject *staged, *stored;
    PyObject *source;
    Nodes nodes;
    int width, grows; /* `grows`: the step of the last level is new */
    Level *levels;
    size_t n, room;
} Binding;

/* In all that follows: 1 if it is done, 0 if that is for Python to do, -1 with an error set. */

/* `view` is one of the levels, if it is a directory that is read from where all are. Takes the reference. */
static int open_level(Binding *b, PyObject *view, PyObject *step) {
    State *state = b->state;
    if (!grow((void **)&b->levels, &b->room, b->n, 1, sizeof *b->levels)) {
        Py_DECREF(view);
        return -1;
    }
    Level *level = &b->levels[b->n++];
    *level = (Level){view, NULL, step};
    if (Py_TYPE(view) != b->stored) return 0;
    PyObject *source = ATTRIBUTE(view, source);
    int same = source == b->source;
    if (!source) return -1;
    Py_DECREF(source);
    if (!same) return 0;
    level->record = ATTRIBUTE(view, decoded);
    if (level->record == Py_None) Py_SETREF(level->record, record_of(state, view, &b->nodes));
    return level->record ? 1 : -1;
}

/* Where the step of the last level stands: `node` is a new reference to a flat record, or NULL where it is new. */
static int locate_last(Binding *b, PyObject **node, Py_ssize_t *position) {
    const Level *level = &b->levels[b->n - 1];
    int done = locate(level->record, level->step, b->width, &b->nodes, node, position);
    if (done == 1 && *position < 0) {
        Py_CLEAR(*node);
        b->grows = 1;
    }
    return done;
}

/* The stored directory that the last level's step leads to, a new reference; NULL where it is new. */
static int child_of(Binding *b, PyObject **child) {
    State *state = b->state;
    const Level *level = &b->levels[b->n - 1];
    PyObject *now = ATTRIBUTE(level->view, now), *node = NULL;
    Py_ssize_t i;
    int done = !now ? -1 : PyDict_CheckExact(now);
    if (done == 1) {
        *child = Py_XNewRef(PyDict_GetItemWithError(now, level->step));
        if (!*child && PyErr_Occurred()) done = -1;
    }
    if (done == 1 && !*child) {
        done = locate_last(b, &node, &i);
        if (done == 1 && node && PyBytes_AS_STRING(field(node, 1))[i] != 0) done = 0;
    }
    if (done == 1 && node) {
        PyObject *made = stored_at(state, b->stored, b->source, node, i);
        /* Two threads must end up with one object. */
        if (made) *child = Py_XNewRef(PyDict_SetDefault(now, level->step, made));
        if (!*child) done = -1;
        Py_XDECREF(made);
    }
    Py_XDECREF(node);
    Py_XDECREF(now);
    return done;
}

/* Whether the last level's step is new, or bound to other contents than `data`, with no metadata; `*changes` is 0 if to the
 * same. */
static int compare(Binding *b, PyObject *data, int *changes) {
    PyObject *node = NULL;
    Py_ssize_t i;
    int done = PyBytes_GET_SIZE(data) >= MOST ? 0 : locate_last(b, &node, &i);
    if (done == 1 && node && PyBytes_AS_STRING(field(node, 1))[i] != 1) done = 0;
    if (done == 1 && node) {
        PyObject *hash, *object = contents_of(b->state, data, &hash);
        done = object ? 1 : -1;
        if (object) {
            *changes = memcmp(PyBytes_AS_STRING(hash), PyBytes_AS_STRING(field(node, 2)) + i * HASH, HASH) != 0;
            Py_DECREF(hash);
            Py_DECREF(object);
        }
    }
    Py_XDECREF(node);
    return done;
}

/* How many entries the directory with this record has, and `more`; NULL with an error set. */
static PyObject *length_of(PyObject *record, Py_ssize_t more) {
    if (is_node(record)) return PyLong_FromSsize_t(PyBytes_GET_SIZE(field(record, 1)) + more);
    Py_ssize_t total = more;
    PyObject *counts = field(record, 2);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(counts); i++) {
        Py_ssize_t n = size_of(PyList_GET_ITEM(counts, i));
        if (n < 0 || n > PY_SSIZE_T_MAX - total) return PyErr_NoMemory();
        total += n;
    }
    return PyLong_FromSsize_t(total);
}

/* `held` under the steps from number `at` on, in new directories. Takes the reference. */
static PyObject *wrap_new(Binding *b, PyObject *held, PyObject *line, PyObject *steps, Py_ssize_t at) {
    for (Py_ssize_t last = PyTuple_GET_SIZE(steps) - 1, i = last; held && i >= at; i--) {
        PyObject *now = PyDict_New(), *one = PyLong_FromLong(1), *staged = NULL;
        if (now && one && PyDict_SetItem(now, PyTuple_GET_ITEM(steps, i), held) == 0)
            staged = i == last ? Py_NewRef(now) : new_staged(b->state, b->staged, line, Py_None, now, one, Py_None);
        Py_XDECREF(now);
        Py_XDECREF(one);
        Py_SETREF(held, staged);
    }
    return held;
}

/* What is to stand under the first of the steps: `held`, in staged directories on top of the levels but the first. Takes the
 * reference. */
static PyObject *wrap(Binding *b, PyObject *held, PyObject *line, PyObject *version) {
    State *state = b->state;
    for (size_t at = b->n; held && at-- > 1;) {
        const Level *level = &b->levels[at];
        PyObject *now = PyDict_New(), *first = PyDict_New(), *staged = NULL;
        PyObject *size = length_of(level->record, b->grows && at == b->n - 1);
        if (now && first && size && PyDict_SetItem(now, level->step, held) == 0 &&
            PyDict_SetItem(first, level->step, version) == 0)
            staged = new_staged(state, b->staged, line, level->view, now, size, first);
        Py_XDECREF(now);
        Py_XDECREF(first);
        Py_XDECREF(size);
        Py_SETREF(held, staged);
    }
    return held;
}

/* What is put under step number `at` so that all steps lead to `data`, from the directory `base` on; `*found` is NULL, and it
 * is done, if they do already. */
static int bind(Binding *b, PyObject *base, PyObject *steps, Py_ssize_t at, PyObject *data, PyObject *line,
                PyObject *version, PyObject **found) {
    State *state = b->state;
    PyObject *view = Py_NewRef(base), *nodes = NULL;
    Py_ssize_t i = at, last = PyTuple_GET_SIZE(steps) - 1;
    int done = 1, changes = 1;
    if (Py_TYPE(base) != b->stored) done = 0;
    if (done == 1 && (!(b->source = ATTRIBUTE(base, source)) || !(nodes = ATTRIBUTE(b->source, nodes)))) done = -1;
    if (done == 1) {
        b->nodes = (Nodes){recent_of(state, nodes), b->source, state->name[NAME_node]};
        if (!b->nodes.recent) done = -1;
    }
    for (; done == 1; i++) {
        done = open_level(b, view, PyTuple_GET_ITEM(steps, i));
        view = NULL;
        if (done == 1 && i == last) {
            done = compare(b, data, &changes);
            break;
        }
        if (done == 1) done = child_of(b, &view);
        if (b->grows) break;
    }
    *found = NULL;
    if (done == 1 && changes) {
        *found = wrap(b, wrap_new(b, Py_NewRef(data), line, steps, i + 1), line, version);
        if (!*found) done = -1;
    }
    Py_XDECREF(view);
    Py_XDECREF(nodes);
    Py_CLEAR(b->source);
    Py_CLEAR(b->nodes.recent);
    for (size_t i = 0; i < b->n; i++) {
        Py_DECREF(b->levels[i].view);
        Py_XDECREF(b->levels[i].record);
    }
    PyMem_Free(b->levels);
    return done;
}

/* bind(base, steps, at, data, line, version, width, Staged, Stored) */
FUNCTION(bind) {
    Py_ssize_t at, width;
    if (nargs != 9 || !PyList_CheckExact(args[1]) || (at = size_of(args[2])) < 0 || !PyBytes_CheckExact(args[3]) ||
        at >= PyList_GET_SIZE(args[1]) || (width = size_of(args[6])) < 1 || width > 8 || !PyType_Check(args[7]) ||
        !PyType_Check(args[8]))
        return REFER(bind);
    Binding b = {
        .state = state_of(module),
        .staged = (PyTypeObject *)args[7],
        .stored = (PyTypeObject *)args[8],
        .width = (int)width,
    };
    PyObject *steps = PyList_AsTuple(args[1]), *found = NULL;
    if (!steps) return NULL;
    learn(b.state, LAYOUT_STAGED, b.staged);
    learn(b.state, LAYOUT_STORED, b.stored);
    int done = bind(&b, args[0], steps, at, args[3], args[4], args[5], &found);
    Py_DECREF(steps);
    if (done == 1 && !found) Py_RETURN_FALSE;
    if (done == 1) {
        PyObject *items[] = {found, PyLong_FromLong(b.grows && b.n == 1)};
        return tuple_of(2, items);
    }
    return done ? NULL : REFER(bind);
}

/* The small new directory `few` under `step` of `node` in a form that can be edited, as `Staged.open` does. */
static int open_few(State *state, PyTypeObject *type, PyObject *node, PyObject *now, PyObject *step, PyObject *few) {
    PyObject *over = ATTRIBUTE(node, over), *line = ATTRIBUTE(node, line), *own = PyDict_Copy(few);
    PyObject *size = PyLong_FromSsize_t(PyDict_GET_SIZE(few)), *opened = NULL;
    int done = over && line && own && size ? over == Py_None : -1;
    if (done == 1) {
        opened = new_staged(state, type, line, Py_None, own, size, Py_None);
        done = opened && PyDict_SetItem(now, step, opened) == 0 ? 1 : -1;
    }
    Py_XDECREF(over);
    Py_XDECREF(line);
    Py_XDECREF(own);
    Py_XDECREF(size);
    Py_XDECREF(opened);
    return done;
}

/* One more entry of `node`, which has no base: `data` under `step`, or under `below` in a new directory there. As
 * `Staged.put` does, in the order that the invariants of irminpy/tree/stage.py ask for. */
static int put_new(State *state, PyObject *node, PyObject *line, PyObject *first, PyObject *now, PyObject *step,
                   PyObject *below, PyObject *data, PyObject *version) {
    PyObject *grows = ATTRIBUTE(node, grows), *drops = ATTRIBUTE(node, drops), *size = ATTRIBUTE(node, size);
    PyObject *child = NULL, *larger = NULL, *since = NULL;
    int done = grows && drops && size ? (first == Py_None || PyDict_CheckExact(first)) && size_of(size) >= 0 &&
                                            (grows == Py_None || PyList_CheckExact(grows))
                                      : -1;
    if (done == 1) {
        child = below ? PyDict_New() : Py_NewRef(data);
        larger = PyLong_FromSsize_t(size_of(size) + 1);
        since = first == Py_None ? PyDict_New() : Py_NewRef(first);
        if (!child || !larger || !since || (below && PyDict_SetItem(child, below, data) < 0)) done = -1;
    }
    if (done == 1 && grows == Py_None && drops == Py_None && ASSIGN(node, start, size) < 0)
        done = -1;
    if (done == 1 && grows == Py_None) {
        Py_SETREF(grows, PyList_New(0));
        if (!grows) done = -1;
    }
    if (done == 1 && (ASSIGN(line, version, version) < 0 ||
                      (first == Py_None && ASSIGN(node, first, since) < 0) ||
                      PyDict_SetItem(since, step, version) < 0 || PyList_Append(grows, version) < 0 ||
                      ASSIGN(node, grows, grows) < 0 ||
                      ASSIGN(node, size, larger) < 0 || PyDict_SetItem(now, step, child) < 0))
        done = -1;
    Py_XDECREF(grows);
    Py_XDECREF(drops);
    Py_XDECREF(size);
    Py_XDECREF(child);
    Py_XDECREF(larger);
    Py_XDECREF(since);
    return done;
}

/* rebind(root, path, data, version, width, Staged, Stored) */
FUNCTION(rebind) {
    Py_ssize_t width;
    if (nargs != 7 || !PyBytes_CheckExact(args[2]) || !PyLong_CheckExact(args[3]) || (width = size_of(args[4])) < 1 ||
        width > 8 || !PyType_Check(args[5]) || !PyType_Check(args[6]) || Py_TYPE(args[0]) != (PyTypeObject *)args[5])
        return REFER(rebind);
    PyObject *steps = steps_of(args[1]);
    if (!steps && PyErr_Occurred()) return NULL;
    if (!steps || !PyTuple_GET_SIZE(steps)) {
        Py_XDECREF(steps);
        return REFER(rebind);
    }
    State *state = state_of(module);
    Binding b = {
        .state = state,
        .staged = (PyTypeObject *)args[5],
        .stored = (PyTypeObject *)args[6],
        .width = (int)width,
    };
    PyObject *node = Py_NewRef(args[0]), *step = NULL, *answer = NULL;
    PyObject *now = NULL, *first = NULL, *base = NULL, *line = NULL, *top = NULL;
    int done = 1;
    Py_ssize_t i = 0, last = PyTuple_GET_SIZE(steps) - 1;
    learn(state, LAYOUT_STAGED, b.staged);
    learn(state, LAYOUT_STORED, b.stored);
    /* Down the staged directories; nothing here runs any Python. */
    while (done == 1) {
        step = PyTuple_GET_ITEM(steps, i);
        now = ATTRIBUTE(node, now);
        done = !now ? -1 : PyDict_CheckExact(now) && PyUnicode_CheckExact(step);
        PyObject *child = done == 1 ? PyDict_GetItemWithError(now, step) : NULL;
        if (done == 1 && !child) {
            if (PyErr_Occurred()) done = -1;
            break;
        }
        if (done == 1 && i == last) done = 0;
        if (done == 1 && i == last - 1 && PyDict_CheckExact(child)) {
            done = open_few(state, b.staged, node, now, step, child);
            child = done == 1 ? PyDict_GetItemWithError(now, step) : NULL;
        }
        if (done == 1 && Py_TYPE(child) != b.staged) done = 0;
        if (done == 1) {
            Py_CLEAR(now);
            Py_SETREF(node, Py_NewRef(child));
            i++;
        }
    }
    if (done == 1 && (!(first = ATTRIBUTE(node, first)) || !(base = ATTRIBUTE(node, base)) || !(line = ATTRIBUTE(node, line))))
        done = -1;
    if (done == 1 && base == Py_None) {
        done = last - i > 1 ? 0 : put_new(state, node, line, first, now, step, last == i ? NULL : PyTuple_GET_ITEM(steps, last),
                                          args[2], args[3]);
        if (done == 1) answer = Py_NewRef(args[3]);
        goto end;
    }
    if (done == 1 && !PyDict_CheckExact(first)) done = 0;
    if (done == 1) {
        int edited = PyDict_Contains(first, step);
        if (edited) done = edited < 0 ? -1 : 0;
    }
    if (done == 1) done = bind(&b, base, steps, i, args[2], line, args[3], &top);
    if (done == 1 && !top) {
        answer = Py_NewRef(Py_None);
    } else if (done == 1 && b.grows && b.n == 1) {
        /* One entry more. */
        PyObject *one = PyLong_FromLong(1), *put = NULL;
        if (one && ASSIGN(line, version, args[3]) == 0)
            put = PyObject_CallMethodObjArgs(node, state->name[NAME_put], step, top, args[3], one, NULL);
        if (put) answer = Py_NewRef(args[3]);
        Py_XDECREF(one);
        Py_XDECREF(put);
    } else if (done == 1) {
        /* In this order, see the invariants of irminpy/tree/stage.py. */
        if (ASSIGN(line, version, args[3]) < 0 || PyDict_SetItem(first, step, args[3]) < 0 ||
            PyDict_SetItem(now, step, top) < 0)
            done = -1;
        else
            answer = Py_NewRef(args[3]);
    }
end:
    Py_XDECREF(now);
    Py_XDECREF(first);
    Py_XDECREF(base);
    Py_XDECREF(line);
    Py_XDECREF(top);
    Py_XDECREF(node);
    Py_DECREF(steps);
    return done ? answer : REFER(rebind);
}

PyMethodDef bind_methods[] = {
    METHOD(rebind, "Bind a path of a staged directory to another value."),
    METHOD(bind, "What an edit that binds a path to another value puts in the place of what stands there."),
    {NULL, NULL, 0, NULL},
};
