import { expect, test } from 'vitest';
import { EventParser } from './sse';

const whole = [
  ': a comment',
  'event: snapshot',
  'id: 7',
  'data: {"a":',
  'data:1}',
  '',
  'data: plain',
  '',
  'id: 8',
  'retry: 250',
  '',
  'event: unfinished',
  'data: x',
  '',
].join('\n');

test.each([['\n'], ['\r\n'], ['\r']])('reads events with line ends %j', (end) => {
  const p = new EventParser();
  expect(p.push(whole.replaceAll('\n', end) + end)).toEqual([
    { event: 'snapshot', data: '{"a":\n1}', id: '7' },
    { event: 'message', data: 'plain', id: '7' },
    { event: 'unfinished', data: 'x', id: '8' },
  ].slice(0, end === '\r' ? 2 : 3));
  // A single CR may be half of a CRLF: the last event comes with the next piece.
  if (end === '\r') expect(p.push('\n')).toEqual([{ event: 'unfinished', data: 'x', id: '8' }]);
  expect(p.id).toBe('8');
  expect(p.retry).toBe(250);
});

test('gives the same events wherever the stream is cut', () => {
  const text = whole.replaceAll('\n', '\r\n') + '\r\n';
  const expected = new EventParser().push(text);
  for (let cut = 0; cut <= text.length; cut++) {
    const p = new EventParser();
    expect([...p.push(text.slice(0, cut)), ...p.push(text.slice(cut))]).toEqual(expected);
  }
});
