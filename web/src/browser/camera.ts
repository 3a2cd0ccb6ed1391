// The camera of this browser.

const WORDS: Record<string, string> = {
  NotAllowedError: "The browser may not use the camera: allow it beside the address of this page, and load it again.",
  NotFoundError: "There is no camera: plug one in and load this page again.",
  NotReadableError: "The camera is in use by another program: close that one and load this page again.",
  OverconstrainedError: "That camera is no longer there: choose another one of the list.",
};

/** A camera that can be opened, closed and changed. */
export class Camera {
  readonly video = document.createElement("video");
  devices: MediaDeviceInfo[] = [];

  constructor() {
    this.video.muted = this.video.playsInline = true;
  }

  get isOpen(): boolean {
    return this.video.srcObject !== null;
  }

  /** Whether there is a picture to look at. */
  get isReady(): boolean {
    return this.isOpen && this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  /** Open a camera in place of the one that is open; an error says in words what is wrong. */
  async open(deviceId?: string): Promise<void> {
    this.close();
    const which: MediaTrackConstraints = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
    try {
      if (!navigator.mediaDevices) throw new Error("open this page over https or from this computer.");
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, ...which }, audio: false });
      this.close(); // another one was opened meanwhile
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      const { name, message } = error as Error;
      throw new Error(WORDS[name] ?? `The camera does not open: ${message}`);
    }
  }

  close(): void {
    for (const track of this.#tracks) track.stop();
    this.video.srcObject = null;
  }

  /** Look which cameras there are, and return the number of the open one. */
  async list(): Promise<number> {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    this.devices = all.filter(({ kind }) => kind === "videoinput");
    const now = this.#tracks[0]?.getSettings().deviceId;
    return Math.max(0, this.devices.findIndex(({ deviceId }) => deviceId === now));
  }

  get #tracks(): MediaStreamTrack[] {
    return (this.video.srcObject as MediaStream | null)?.getTracks() ?? [];
  }
}
