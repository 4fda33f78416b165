// A stopwatch that counts real time (it survives a page in the background), a beep, a buzz, and a screen that stays on.
"use strict";
window.hsHold = (() => {
  let sound = false, audio = null, lock = null;

  class Watch {
    constructor(tick) {
      this.tick = tick;
      this.reset();
    }
    reset() {
      clearInterval(this.timer);
      this.timer = this.since = null;
      this.banked = 0;
    }
    start() {
      if (this.since !== null) return;
      this.since = performance.now();
      this.timer = setInterval(this.tick, 200);
      awake(true);
    }
    pause() {
      this.banked = this.seconds() * 1000;
      this.since = null;
      clearInterval(this.timer);
      awake(false);
    }
    get running() { return this.since !== null; }
    seconds() { return (this.banked + (this.since === null ? 0 : performance.now() - this.since)) / 1000; }
  }

  async function awake(on) {
    try {
      if (on && !lock) lock = await navigator.wakeLock?.request("screen");
      else if (!on && lock) { lock.release(); lock = null; }
    } catch { lock = null; }
  }

  // Two tones: something to stop at, something finished.
  function cue(high) {
    navigator.vibrate?.(high ? [120, 80, 120] : 120);
    if (!sound) return;
    const tone = audio.createOscillator(), volume = audio.createGain();
    tone.frequency.value = high ? 880 : 587;
    volume.gain.setValueAtTime(0.2, audio.currentTime);
    volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.35);
    tone.connect(volume).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.35);
  }

  // Off until somebody asks for it: a browser plays nothing before a press anyway.
  function toggleSound() {
    sound = !sound;
    if (sound) audio ??= new AudioContext();
    if (sound) cue(false);
    return sound;
  }

  return { Watch, cue, toggleSound };
})();
