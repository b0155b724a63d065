"""The expert review tool: reviewers keep or delete each degradation of each question, in a browser.

`catalogue` and `images` hold what is shown, `database`, `store`, `assignment` and `auth` what is kept, `app` and
`serve` are the web page, and `report`, `export` and `apply` what comes after it. Needs the extra ``[review]``.
"""
