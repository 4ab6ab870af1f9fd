/* The module `irminpy._ccore`: the twin of `irminpy/_core.py`, function by function (docs/decisions/056). */
#include "core.h"
#include "blake3.h"

/* As in `irminpy/_core.py`: what was built from other sources than those beside it is not used. */
#define SEAM 1

static int execute(PyObject *module) {
    static const char *const names[] = {
#define X(name) #name,
        REFERENCES(X)
#undef X
    };
    PyMethodDef *const tables[] = {digest_methods, node_methods, seek_methods};
    State *state = state_of(module);
    blake3_choose();
    PyObject *reference = PyImport_ImportModule("irminpy._core");
    if (!reference) return -1;
    for (int i = 0; i < REFERENCE_COUNT; i++) {
        state->reference[i] = PyObject_GetAttrString(reference, names[i]);
        if (!state->reference[i]) {
            Py_DECREF(reference);
            return -1;
        }
    }
    Py_DECREF(reference);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (PyModule_AddFunctions(module, tables[i]) < 0) return -1;
    return PyModule_AddIntConstant(module, "SEAM", SEAM);
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    State *state = state_of(module);
    for (int i = 0; i < REFERENCE_COUNT; i++) Py_VISIT(state->reference[i]);
    return 0;
}

static int clear(PyObject *module) {
    State *state = state_of(module);
    for (int i = 0; i < REFERENCE_COUNT; i++) Py_CLEAR(state->reference[i]);
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
