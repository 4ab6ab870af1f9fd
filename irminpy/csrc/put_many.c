/* Binding many paths in an edited tree that nobody but its editor has seen (irminpy/tree/tree.py). */
#include "part.h"

typedef struct {
    State *state;
    PyTypeObject *staged;
    Py_ssize_t most; /* entries of a small new directory */
} Putting;

/* In all that follows: 1 if it is done, 0 if that is for Python to do, and nothing has changed, -1 with an error set. */

/* One more entry of `node`, in whose `now` it is. */
static int count_one(const Putting *p, PyObject *node) {
    State *state = p->state;
    PyObject *size = ATTRIBUTE(node, size);
    Py_ssize_t n = size ? size_of(size) : -1;
    PyObject *larger = n >= 0 && n < PY_SSIZE_T_MAX ? PyLong_FromSsize_t(n + 1) : NULL;
    int done = larger && ASSIGN(node, size, larger) == 0 ? 1 : -1;
    if (!larger && !PyErr_Occurred()) PyErr_BadInternalCall();
    Py_XDECREF(size);
    Py_XDECREF(larger);
    return done;
}

/* The steps that a staged directory leads on by, a new reference, if all of them are new. */
static int steps_in(const Putting *p, PyObject *node, PyObject **now) {
    State *state = p->state;
    if (Py_TYPE(node) != p->staged) return 0;
    PyObject *base = ATTRIBUTE(node, base);
    *now = base ? ATTRIBUTE(node, now) : NULL;
    int done = *now ? base == Py_None && PyDict_CheckExact(*now) : -1;
    Py_XDECREF(base);
    if (done != 1) Py_CLEAR(*now);
    return done;
}

/* Bind `step` to `data` in the directory `child` that stands in the dict of its parent. */
static int put_last(const Putting *p, PyObject *child, PyObject *step, PyObject *data) {
    PyObject *now = NULL, *before;
    if (PyDict_CheckExact(child)) {
        int known = PyDict_GET_SIZE(child) < p->most ? 1 : PyDict_Contains(child, step);
        return known < 1 ? known : PyDict_SetItem(child, step, data) < 0 ? -1 : 1;
    }
    int done = steps_in(p, child, &now);
    if (done != 1) return done;
    before = PyDict_GetItemWithError(now, step);
    int fresh = !before;
    if (before ? !PyBytes_CheckExact(before) : PyErr_Occurred() != NULL) done = before ? 0 : -1;
    if (done == 1 && PyDict_SetItem(now, step, data) < 0) done = -1;
    if (done == 1 && fresh) done = count_one(p, child);
    Py_DECREF(now);
    return done;
}

/* Bind the steps, of which there is at least one, to `data` below `root`. */
static int put_one(const Putting *p, PyObject *root, PyObject *steps, PyObject *data) {
    State *state = p->state;
    PyObject *node = Py_NewRef(root);
    Py_ssize_t last = PyTuple_GET_SIZE(steps) - 1;
    int done = 1;
    for (Py_ssize_t i = 0; done == 1 && i < last; i++) {
        PyObject *now = Py_TYPE(node) == p->staged ? ATTRIBUTE(node, now) : NULL, *step = PyTuple_GET_ITEM(steps, i);
        if (!now || !PyDict_CheckExact(now)) {
            done = PyErr_Occurred() ? -1 : 0;
            Py_XDECREF(now);
            break;
        }
        PyObject *child = PyDict_GetItemWithError(now, step);
        if (child) {
            Py_SETREF(node, Py_NewRef(child));
            Py_DECREF(now);
            continue;
        }
        Py_DECREF(now);
        done = PyErr_Occurred() ? -1 : i == last - 1 ? steps_in(p, node, &now) : 0;
        if (done == 1) {
            /* A small new directory. */
            PyObject *few = PyDict_New();
            done = few && PyDict_SetItem(few, PyTuple_GET_ITEM(steps, last), data) == 0 && PyDict_SetItem(now, step, few) == 0
                       ? count_one(p, node)
                       : -1;
            Py_XDECREF(few);
            Py_DECREF(now);
        }
        Py_DECREF(node);
        return done;
    }
    if (done == 1) done = put_last(p, node, PyTuple_GET_ITEM(steps, last), data);
    Py_DECREF(node);
    return done;
}

/* put_many(root, items, at, most, Staged) */
FUNCTION(put_many) {
    Py_ssize_t at;
    if (nargs != 5 || !PyList_CheckExact(args[1]) || (at = size_of(args[2])) < 0 || size_of(args[3]) < 1 ||
        !PyType_Check(args[4]))
        return REFER(put_many);
    Putting p = {.state = state_of(module), .staged = (PyTypeObject *)args[4], .most = size_of(args[3])};
    learn(p.state, LAYOUT_STAGED, p.staged);
    int done = 1;
    /* Letting go of what was bound before runs no Python, bytes being all that goes. */
    for (; done == 1 && at < PyList_GET_SIZE(args[1]); at += done == 1) {
        PyObject *item = PyList_GET_ITEM(args[1], at);
        if (!PyTuple_CheckExact(item) || PyTuple_GET_SIZE(item) != 2 || !PyBytes_CheckExact(PyTuple_GET_ITEM(item, 1))) break;
        PyObject *steps = steps_of(PyTuple_GET_ITEM(item, 0));
        done = !steps ? PyErr_Occurred() ? -1 : 0 : PyTuple_GET_SIZE(steps) > 0;
        if (done == 1) done = put_one(&p, args[0], steps, PyTuple_GET_ITEM(item, 1));
        Py_XDECREF(steps);
    }
    return done < 0 ? NULL : PyLong_FromSsize_t(at);
}

PyMethodDef put_many_methods[] = {
    METHOD(put_many, "Bind many paths in a tree that is edited."),
    {NULL, NULL, 0, NULL},
};
