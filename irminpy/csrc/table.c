#include "table.h"

uint64_t table_secret = 1;

int table_begin(void) {
    if (table_secret != 1) return 0;
    /* Random unless the hashes of Python are not (PYTHONHASHSEED), and then its dicts are as easily made slow. */
    for (int i = 0; i < 2; i++) {
        PyObject *text = PyUnicode_FromString(i ? "irminpy" : "table");
        Py_hash_t hash = text ? PyObject_Hash(text) : -1;
        Py_XDECREF(text);
        if (hash == -1) return -1;
        table_secret = table_secret * 0x9E3779B97F4A7C15u ^ (uint64_t)hash;
    }
    table_secret |= 1;
    return 0;
}

int table_init(Table *table, size_t n) {
    table->bits = 1;
    while ((size_t)1 << table->bits < 2 * n) table->bits++;
    table->slots = table->few;
    size_t size = sizeof(Slot) << table->bits;
    if (size > sizeof table->few) {
        table->slots = PyMem_Malloc(size);
        if (!table->slots) {
            PyErr_NoMemory();
            return 0;
        }
    }
    memset(table->slots, 0, size);
    return 1;
}

void table_free(Table *table) {
    if (table->slots != table->few) PyMem_Free(table->slots);
}
