#ifndef LARDER_DASHBOARD_H
#define LARDER_DASHBOARD_H

#include <stddef.h>

/// The bytes of dashboard.html, which is a part of the program. Swift has no directive that embeds a file; C has
/// (N3017), and an array of numbers in Swift takes the compiler seconds.
const unsigned char *larder_dashboard_page(void);

/// The number of these bytes.
size_t larder_dashboard_page_size(void);

#endif
