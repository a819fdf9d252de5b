// What a page gains by scripts: it counts, moves on by itself and keeps fingers off a button that was just pressed.
// Without them it reloads by itself, and every form works.
import { keepTime } from "./clock.js";
import { restAfterClicks } from "./buttons.js";
import { keepFresh } from "./refresh.js";

restAfterClicks();
keepTime();
keepFresh();
