/*
 * Where what every file of the shim shares lies.
 */
#include "preload/base/shim.h"

struct shim_gate shim_gate;
SHIM_THREAD_LOCAL struct shim_thread shim_thread;
_Atomic bool shim_sealed;
bool shim_walks_native;
