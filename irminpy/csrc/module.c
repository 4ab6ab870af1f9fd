/* The module `irminpy._ccore`: the twin of `irminpy/_core.py`, function by function (docs/decisions/056). */
#include "core.h"
#include "blake3.h"
#include "cache.h"
#include "crc.h"
#include "table.h"
#include "words.h"

/* As in `irminpy/_core.py`: what was built from other sources than those beside it is not used. */
#define SEAM 21

static int execute(PyObject *module) {
    static const char *const names[] = {
#define X(name) #name,
        REFERENCES(X)
#undef X
    };
    static const char *const attributes[] = {
#define X(name) #name,
        NAMES(X)
#undef X
    };
    static const char *const modules[] = {"irminpy._core", "irminpy._edits", "irminpy._frames",
                                          "irminpy._gather", "irminpy._nodes",  "irminpy._rows"};
    PyMethodDef *const tables[] = {
        bind_methods,   bucket_methods,     difference_methods, digest_methods,     elements_methods, find_methods, follow_methods, frame_methods,
        gather_methods, node_methods,       read_nodes_methods, read_state_methods, rows_methods, seek_methods, settle_methods,
        settle_new_methods, put_many_methods, unlike_methods, write_nodes_methods,
    };
    State *state = state_of(module);
    if (!(state->nothing = PyDict_New())) return -1;
    blake3_choose();
    crc_begin();
    if (table_begin() < 0 || cache_begin(module) < 0 || words_begin(module) < 0) return -1;
    for (int i = 0; i < NAME_COUNT; i++)
        if (!(state->name[i] = PyUnicode_InternFromString(attributes[i]))) return -1;
    for (size_t m = 0; m < sizeof modules / sizeof *modules; m++) {
        PyObject *reference = PyImport_ImportModule(modules[m]);
        if (!reference) return -1;
        for (int i = 0; i < REFERENCE_COUNT; i++) {
            if (state->reference[i] || !PyObject_HasAttrString(reference, names[i])) continue;
            state->reference[i] = PyObject_GetAttrString(reference, names[i]);
        }
        Py_DECREF(reference);
    }
    for (int i = 0; i < REFERENCE_COUNT; i++)
        if (!state->reference[i]) return PyErr_Format(PyExc_ImportError, "no function %s", names[i]), -1;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (PyModule_AddFunctions(module, tables[i]) < 0) return -1;
    return PyModule_AddIntConstant(module, "SEAM", SEAM);
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    State *state = state_of(module);
    for (int i = 0; i < REFERENCE_COUNT; i++) Py_VISIT(state->reference[i]);
    for (int i = 0; i < NAME_COUNT; i++) Py_VISIT(state->name[i]);
    Py_VISIT(state->nothing);
    for (int i = 0; i < LAYOUT_COUNT; i++) Py_VISIT(state->layout[i].type);
    return 0;
}

static int clear(PyObject *module) {
    State *state = state_of(module);
    for (int i = 0; i < REFERENCE_COUNT; i++) Py_CLEAR(state->reference[i]);
    for (int i = 0; i < NAME_COUNT; i++) Py_CLEAR(state->name[i]);
    Py_CLEAR(state->nothing);
    for (int i = 0; i < LAYOUT_COUNT; i++) Py_CLEAR(state->layout[i].type);
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "irminpy._ccore",
    .m_doc = "The hot functions of the native format, compiled.",
    .m_size = sizeof(State),
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
};

PyMODINIT_FUNC PyInit__ccore(void) { return PyModuleDef_Init(&definition); }
