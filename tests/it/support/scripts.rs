//! The little script that the browser tests bring along.

/// Tells the test of a violated content security policy; runs before any script of the page.
pub const WATCH: &str = "addEventListener('securitypolicyviolation', (event) => \
    complain(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`), true)";

/// The messages on the page as HTML, without the traces that a script leaves on them, and however they came to be there:
/// only what comes while somebody is there is read aloud.
pub const MESSAGES: &str = r"(() => {
    const list = document.querySelector('#messages').cloneNode(true);
    for (const gone of list.querySelectorAll('#divider, script')) gone.remove();
    for (const element of [list, ...list.querySelectorAll('*')]) {
        for (const { name } of [...element.attributes])
            if (/^(data-htmx|hx-.*ed$|aria-live$)/.test(name)) element.removeAttribute(name);
        for (const name of [...element.classList])
            if (name.startsWith('htmx-')) element.classList.remove(name);
        if (element.getAttribute('class') === '') element.removeAttribute('class');
    }
    return list.outerHTML.replace(/\s*(<[^>]*>)\s*/g, '\n$1\n').replace(/\n+/g, '\n');
})()";
