#include "dashboard.h"

static const unsigned char page[] = {
#embed "dashboard.html"
};

const unsigned char *larder_dashboard_page(void) { return page; }

size_t larder_dashboard_page_size(void) { return sizeof page; }
