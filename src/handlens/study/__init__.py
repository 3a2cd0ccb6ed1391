"""Study mode: hours of video coded like a second rater, kept in one database, and compared with people's coding."""
