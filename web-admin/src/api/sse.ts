/** One server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
  /** The id the stream stands at, set by this or an earlier event. */
  id: string;
}

/**
 * Reads a text/event-stream body as the WHATWG specification says (section 9.2.6), as far
 * as a fetch-based reader needs it: event, data, id and retry are kept, comments only show
 * that the stream is alive.
 */
export class EventParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  id = '';
  /** Milliseconds to wait before reconnecting, when the server said so. */
  retry: number | undefined;

  /** Takes a piece of the stream, returns the events that it completes. */
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const text = this.rest + piece;
    // A CR at the very end may be the first half of CRLF, so it waits for the next piece.
    const end = text.endsWith('\r') ? text.length - 1 : text.length;
    const lines = text.slice(0, end).split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? '') + text.slice(end);
    for (const line of lines) {
      const done = this.line(line);
      if (done) events.push(done);
    }
    return events;
  }

  private line(line: string): ServerEvent | undefined {
    if (line === '') return this.dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.event = value;
    else if (field === 'data') this.data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  private dispatch(): ServerEvent | undefined {
    const { event, data } = this;
    this.event = '';
    this.data = [];
    if (data.length === 0) return undefined;
    return { event: event || 'message', data: data.join('\n'), id: this.id };
  }
}
