/* A map of bounded weight, as irminpy/cache.py has it: two dicts. Instead of a lock there is that of the interpreter: every
 * change is whole before anything runs that may be Python (the end of a value, `turned`). */
#include "core.h"
#include "cache.h"

typedef struct {
    PyObject_HEAD
    PyObject *young, *old, *weigh, *turned;
    Py_ssize_t half, room;
} Cache;

static int cache_traverse(Cache *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->young);
    Py_VISIT(self->old);
    Py_VISIT(self->weigh);
    Py_VISIT(self->turned);
    return 0;
}

/* What may lead back to it goes; it stays a cache, of nothing. */
static int cache_forget(Cache *self) {
    if (self->young) PyDict_Clear(self->young);
    if (self->old) PyDict_Clear(self->old);
    Py_XSETREF(self->turned, Py_NewRef(Py_None));
    return 0;
}

static void cache_dealloc(Cache *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->young);
    Py_XDECREF(self->old);
    Py_XDECREF(self->weigh);
    Py_XDECREF(self->turned);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *cache_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"capacity", "weigh", "turned", NULL};
    Py_ssize_t capacity;
    PyObject *weigh, *turned = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "nO|O", names, &capacity, &weigh, &turned)) return NULL;
    Cache *self = (Cache *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->young = PyDict_New();
    self->old = PyDict_New();
    self->weigh = Py_NewRef(weigh);
    self->turned = Py_NewRef(turned);
    self->half = self->room = capacity > 0 ? capacity / 2 : 0;
    if (!self->young || !self->old) Py_CLEAR(self);
    return (PyObject *)self;
}

/* The weight of `value`; -1 with an error set. */
static Py_ssize_t weight_of(Cache *self, PyObject *value) {
    PyObject *weight = PyObject_CallOneArg(self->weigh, value);
    Py_ssize_t size = weight ? PyLong_AsSsize_t(weight) : -1;
    Py_XDECREF(weight);
    if (size < 0 && !PyErr_Occurred()) PyErr_BadInternalCall();
    return size;
}

/* The younger become the older, which are let go. 0, or -1 with an error set. */
static int turn(Cache *self) {
    PyObject *young = PyDict_New(), *old = self->old;
    if (!young) return -1;
    self->old = self->young;
    self->young = young;
    self->room = self->half;
    Py_DECREF(old);
    if (self->turned == Py_None) return 0;
    PyObject *done = PyObject_CallNoArgs(self->turned);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* In what follows the dict is held, since comparing keys may run anything. */

/* Whether `key` was there and is gone: 1 or 0, or -1 with an error set. That it is not there is asked first: an error would
 * cost more than all the rest. */
static int drop(PyObject *dict, PyObject *key) {
    Py_INCREF(dict);
    int done = PyDict_Contains(dict, key);
    if (done > 0 && PyDict_DelItem(dict, key) < 0) {
        done = PyErr_ExceptionMatches(PyExc_KeyError) ? 0 : -1; /* comparing keys took it away */
        if (done == 0) PyErr_Clear();
    }
    Py_DECREF(dict);
    return done;
}

/* The value of `key`, a new reference; NULL if there is none, or with an error set. */
static PyObject *look_up(PyObject *dict, PyObject *key) {
    Py_INCREF(dict);
    PyObject *value = Py_XNewRef(PyDict_GetItemWithError(dict, key));
    Py_DECREF(dict);
    return value;
}

static int put(Cache *self, PyObject *key, PyObject *value) {
    Py_ssize_t weight = weight_of(self, value);
    if (weight < 0) return -1;
    if (weight > self->half) return drop(self->young, key) < 0 || drop(self->old, key) < 0 ? -1 : 0;
    if (weight > self->room && turn(self) < 0) return -1;
    PyObject *young = Py_NewRef(self->young);
    int done = PyDict_SetItem(young, key, value);
    Py_DECREF(young);
    if (done == 0) self->room -= weight;
    return done;
}

static PyObject *cache_add(Cache *self, PyObject *const *args, Py_ssize_t nargs) {
    if (nargs != 2) return PyErr_Format(PyExc_TypeError, "add() takes a key and a value"), NULL;
    if (put(self, args[0], args[1]) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *cache_find(Cache *self, PyObject *key) {
    PyObject *value = look_up(self->young, key);
    if (value || PyErr_Occurred()) return value;
    value = look_up(self->old, key);
    if (!value) return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    if (put(self, key, value) < 0) Py_CLEAR(value);
    return value;
}

static inline int is_cache(PyObject *object) { return Py_TYPE(object)->tp_dealloc == (destructor)cache_dealloc; }

PyObject *in_cache(PyObject *recent, PyObject *key) {
    return is_cache(recent) ? cache_find((Cache *)recent, key) : PyObject_CallOneArg(recent, key);
}

PyObject *recent_of(const State *state, PyObject *cache) {
    return is_cache(cache) ? Py_NewRef(cache) : ATTRIBUTE(cache, recent);
}

static PyObject *cache_add_many(Cache *self, PyObject *items) {
    if (!PyDict_Check(items)) return PyErr_Format(PyExc_TypeError, "add_many() takes a dict"), NULL;
    PyObject *key, *value;
    /* Whoever changes the dict meanwhile, which weighing might, has left to chance what of it goes in. */
    for (Py_ssize_t at = 0; PyDict_Next(items, &at, &key, &value);) {
        Py_INCREF(key);
        Py_INCREF(value);
        int done = put(self, key, value);
        Py_DECREF(key);
        Py_DECREF(value);
        if (done < 0) return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *cache_drop_many(Cache *self, PyObject *keys) {
    if (!PyList_Check(keys)) return PyErr_Format(PyExc_TypeError, "drop_many() takes a list"), NULL;
    /* Comparing keys and weighing values may run anything: the length is read anew. */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); i++) {
        PyObject *key = Py_NewRef(PyList_GET_ITEM(keys, i)), *value = look_up(self->young, key);
        Py_ssize_t weight = value ? weight_of(self, value) : 0;
        int done = weight < 0 || PyErr_Occurred() || (value && drop(self->young, key) < 0) || drop(self->old, key) < 0;
        if (!done) self->room = weight > self->half - self->room ? self->half : self->room + weight;
        Py_XDECREF(value);
        Py_DECREF(key);
        if (done) return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *cache_clear(Cache *self, PyObject *Py_UNUSED(none)) {
    PyObject *young = PyDict_New(), *old = PyDict_New();
    if (!young || !old) {
        Py_XDECREF(young);
        Py_XDECREF(old);
        return NULL;
    }
    PyObject *const before[] = {self->young, self->old};
    self->young = young;
    self->old = old;
    self->room = self->half;
    Py_DECREF(before[0]);
    Py_DECREF(before[1]);
    Py_RETURN_NONE;
}

/* The older ones, then the younger, as they are now. */
static PyObject *cache_iter(Cache *self, PyObject *Py_UNUSED(none)) {
    PyObject *old = PyDict_Items(self->old), *young = old ? PyDict_Items(self->young) : NULL;
    PyObject *all = young ? PySequence_InPlaceConcat(old, young) : NULL, *iterator = all ? PyObject_GetIter(all) : NULL;
    Py_XDECREF(old);
    Py_XDECREF(young);
    Py_XDECREF(all);
    return iterator;
}

static Py_ssize_t cache_length(Cache *self) {
    PyObject *keys = PySet_New(self->young);
    if (!keys) return -1;
    PyObject *more = PyObject_CallMethod(keys, "update", "O", self->old);
    Py_ssize_t n = more ? PySet_GET_SIZE(keys) : -1;
    Py_XDECREF(more);
    Py_DECREF(keys);
    return n;
}

static PyMethodDef methods[] = {
    {"find", (PyCFunction)cache_find, METH_O, "The value of a key, or None."},
    {"recent", (PyCFunction)cache_find, METH_O, "As `find`, which is quick enough."},
    {"add", (PyCFunction)(void (*)(void))cache_add, METH_FASTCALL, "Bind a key to a value."},
    {"add_many", (PyCFunction)cache_add_many, METH_O, "`add` for each item of a dict."},
    {"drop_many", (PyCFunction)cache_drop_many, METH_O, "Forget the keys of a list."},
    {"clear", (PyCFunction)cache_clear, METH_NOARGS, "Forget everything."},
    {"iter", (PyCFunction)cache_iter, METH_NOARGS, "The keys and values as they are now."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "For annotations."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "As `irminpy.cache.Cache`."},
    {Py_tp_new, cache_new},
    {Py_tp_dealloc, cache_dealloc},
    {Py_tp_traverse, cache_traverse},
    {Py_tp_clear, cache_forget},
    {Py_tp_methods, methods},
    {Py_sq_length, cache_length},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "irminpy._ccore.Cache",
    .basicsize = sizeof(Cache),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int cache_begin(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int done = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    return done;
}
