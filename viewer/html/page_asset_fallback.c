/*
 * Built without the page.
 */
#include "viewer/html/page_asset.h"

const char page_asset[] = "";
