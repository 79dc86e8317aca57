"""`leaky doctor`: looks at every setting and every part, and says what to do.

A check is an async function from what is examined to findings; `checks.py`
names them. What is asked of a part lives in a file of the part's own, and
`parts.py` finds it by the scheme of its URL.
"""
