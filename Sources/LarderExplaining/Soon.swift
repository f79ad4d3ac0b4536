/// Written soon.
