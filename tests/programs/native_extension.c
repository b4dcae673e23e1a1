/*
 * An extension module that holds memory, calls Python, and is called by it: the one of
 * tests/integration/test_native_extension.py, which knows each marked line by the name behind the
 * mark. It keeps to the stable ABI, so that one build of it is for all versions.
 */
#define Py_LIMITED_API 0x03080000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdlib.h>

/* The compiler must neither leave an allocation out nor make a call a jump. */
static void *volatile kept;

static PyObject *hold(PyObject *self, PyObject *size)
{
    (void)self;
    kept = malloc(PyLong_AsSize_t(size)); /*: hold */
    Py_RETURN_NONE;
}

/* Holds memory before and after it calls a function of Python, whatever that does. */
static PyObject *call(PyObject *self, PyObject *arguments)
{
    PyObject *function;
    Py_ssize_t size;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "On", &function, &size))
        return NULL;
    kept = malloc((size_t)size);                            /*: before */
    PyObject *result = PyObject_CallObject(function, NULL); /*: call */
    kept = malloc((size_t)size + 1);                        /*: after */
    return result;
}

static PyObject *compare_function;

static int compare(const void *a, const void *b)
{
    const int *one = a, *other = b;
    PyObject *order = PyObject_CallFunction(compare_function, "ii", *one, *other); /*: compare */
    int result = order ? (int)PyLong_AsLong(order) : 0;
    Py_XDECREF(order);
    return result;
}

/* Has libc sort two numbers by a function of Python. */
static PyObject *sort(PyObject *self, PyObject *function)
{
    int numbers[2] = {2, 1};
    (void)self;
    compare_function = function;
    qsort(numbers, 2, sizeof *numbers, compare); /*: sort */
    return PyErr_Occurred() ? NULL : PyLong_FromLong(numbers[0]);
}

static void end_capsule(PyObject *capsule)
{
    kept = malloc(*(size_t *)PyCapsule_GetPointer(capsule, NULL)); /*: end */
    free(PyCapsule_GetPointer(capsule, NULL));
}

/* An object that allocates when it dies. */
static PyObject *capsule(PyObject *self, PyObject *size)
{
    size_t *held = malloc(sizeof *held);
    (void)self;
    *held = PyLong_AsSize_t(size);
    return PyCapsule_New(held, NULL, end_capsule);
}

static void *run_thread(void *function)
{
    PyGILState_STATE state = PyGILState_Ensure();
    Py_XDECREF(PyObject_CallObject(function, NULL)); /*: thread */
    PyGILState_Release(state);
    return NULL;
}

/* Calls a function of Python in a thread that is none of Python's. */
static PyObject *in_a_thread(PyObject *self, PyObject *function)
{
    pthread_t thread;
    (void)self;
    Py_BEGIN_ALLOW_THREADS pthread_create(&thread, NULL, run_thread, function);
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"hold", hold, METH_O, NULL},
    {"call", call, METH_VARARGS, NULL},
    {"sort", sort, METH_O, NULL},
    {"capsule", capsule, METH_O, NULL},
    {"in_a_thread", in_a_thread, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "native_extension",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit_native_extension(void)
{
    kept = malloc(70001); /*: init */
    return PyModule_Create(&module);
}
