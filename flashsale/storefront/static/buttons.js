// A button rests after each click: until the answer is there, and for a moment on the page that brings it.
const REST_MS = 1_500;

export function restAfterClicks() {
  document.addEventListener("submit", (event) => {
    // Not before the browser has taken the form: a button that is off would not be sent.
    setTimeout(() => rest(event.target.querySelector("button"), true));
  });
  // A page that the browser kept comes back as it was left.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("button").forEach((button) => rest(button, false));
  });
  if (document.querySelector(".notice")) {
    document.querySelectorAll("button[data-busy]").forEach((button) => {
      button.disabled = true;
      setTimeout(() => (button.disabled = false), REST_MS);
    });
  }
}

// A form that is asleep until the sale opens.
export function wake(form, isAwake) {
  const button = form.querySelector("button");
  if (button.dataset.label) return; // it is being sent
  button.disabled = !isAwake;
}

function rest(button, isResting) {
  if (!button) return;
  button.disabled = isResting;
  if (!button.dataset.busy) return;
  if (isResting) {
    button.dataset.label = button.textContent;
    button.textContent = button.dataset.busy;
  } else if (button.dataset.label) {
    button.textContent = button.dataset.label;
    delete button.dataset.label;
  }
}
