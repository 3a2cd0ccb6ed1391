"""The published networks on the published data sets, as their authors trained them: README.md says how."""
