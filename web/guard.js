// Says why the page does not begin when page.js cannot say it: opened from a file, an old browser, a file that does not come. A
// classic script in old JavaScript, since it must run where modules do not; page.js sets `thalwegLives` as soon as it runs.
(function () {
  "use strict";

  var PATIENCE_MILLIS = 10000;

  var told = false;

  function stop(sentence) {
    if (window.thalwegLives) return;
    told = true;
    document.getElementById("bar").hidden = true;
    document.getElementById("said").textContent = sentence;
  }

  if (location.protocol === "file:") {
    stop(
      "A page that is opened from a file may not load its program. Put this folder behind a web server: run " +
        "`python3 -m http.server --bind 127.0.0.1` in it, and open http://localhost:8000/."
    );
    return;
  }
  if (!("noModule" in HTMLScriptElement.prototype)) {
    stop("This browser is too old for Thalweg. Use a recent Chrome, Edge, Firefox or Safari, or the desktop program.");
    return;
  }

  // An error of loading does not bubble; one of the script itself is told to the window.
  window.addEventListener(
    "error",
    function (event) {
      if (event.target && event.target.tagName === "SCRIPT") {
        stop(
          "Thalweg could not be loaded: page.js, or what it needs, did not come. Reload the page. If that does not help, tell " +
            "who runs this site that a file of the page is missing there or does not have the type text/javascript."
        );
      } else if (/\/page\.js/.test(event.filename || "")) {
        stop(
          "This browser cannot run Thalweg's page (" + event.message + "). Reload it without the cache (Ctrl+Shift+R), use a " +
            "recent Chrome, Edge, Firefox or Safari, or the desktop program."
        );
      }
    },
    true
  );

  setTimeout(function () {
    if (!window.thalwegLives && !told) document.getElementById("remedy").hidden = false;
  }, PATIENCE_MILLIS);
})();
