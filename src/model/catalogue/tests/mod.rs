//! What all loaded catalogues give together.
