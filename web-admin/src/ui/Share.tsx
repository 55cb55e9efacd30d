import type { Tone } from './Badge';

interface ShareProps {
  part: number;
  whole: number;
  tone: Tone;
}

/** "3 / 4" with a bar. */
export function Share({ part, whole, tone }: ShareProps) {
  return (
    <span className="share">
      <span className="num share-text">
        <strong>{part}</strong>
        <span className="muted"> / {whole}</span>
      </span>
      <progress className={`share-bar tone-${tone}`} value={whole === 0 ? 0 : part} max={whole || 1} aria-hidden="true" />
    </span>
  );
}
