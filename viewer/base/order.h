/*
 * Comparing, for qsort() and its like. Of several orders the first that tells two things apart
 * decides: ORDER(…) ?: ORDER(…). What is larger comes first where the arguments are swapped.
 */
#ifndef HEAPLINE_VIEWER_BASE_ORDER_H
#define HEAPLINE_VIEWER_BASE_ORDER_H

/* Below zero, zero or above, as the one is less than the other, equal or more; no NaN. Each may be
 * looked at twice. */
#define ORDER(one, other) (((one) > (other)) - ((one) < (other)))

#endif
