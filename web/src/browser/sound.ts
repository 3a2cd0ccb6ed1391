// The alarm: a voice of the system, or two tones.

const SENTENCE = "Don't touch your face";
const TONES = [
  { pitch: 880, at: 0, long: 0.16 },
  { pitch: 660, at: 0.21, long: 0.22 },
];

/** Sounds the alarm; a voice where the browser has none is a beep. */
export class Sound {
  #audio: AudioContext | null = null;

  play(kind: string, volume: number): void {
    if (kind === "off") return;
    if (kind === "voice" && "speechSynthesis" in window && speechSynthesis.getVoices().length) say(volume);
    else this.#beep(volume);
  }

  #beep(volume: number): void {
    this.#audio ??= new AudioContext();
    const audio = this.#audio;
    void audio.resume();
    for (const { pitch, at, long } of TONES) {
      const [tone, gain] = [audio.createOscillator(), audio.createGain()];
      tone.frequency.value = pitch;
      const begin = audio.currentTime + at;
      gain.gain.setValueAtTime(0, begin);
      gain.gain.linearRampToValueAtTime(0.4 * volume, begin + 0.01);
      gain.gain.setValueAtTime(0.4 * volume, begin + long - 0.02);
      gain.gain.linearRampToValueAtTime(0, begin + long);
      tone.connect(gain).connect(audio.destination);
      tone.start(begin);
      tone.stop(begin + long);
    }
  }
}

function say(volume: number): void {
  const said = new SpeechSynthesisUtterance(SENTENCE);
  said.volume = volume;
  said.lang = "en";
  speechSynthesis.cancel();
  speechSynthesis.speak(said);
}
