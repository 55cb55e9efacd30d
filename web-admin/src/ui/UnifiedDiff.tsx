/** A unified diff as text, with its lines coloured. */
export function UnifiedDiff({ text }: { text: string }) {
  const lines = text.replace(/\n$/, '').split('\n');
  return (
    <pre className="udiff" tabIndex={0}>
      {lines.map((line, i) => (
        <div key={i} className={lineClass(line)}>
          {line === '' ? ' ' : line}
        </div>
      ))}
    </pre>
  );
}

function lineClass(line: string): string {
  if (line.startsWith('+++') || line.startsWith('---')) return 'udiff-file';
  if (line.startsWith('@@')) return 'udiff-hunk';
  if (line.startsWith('+')) return 'udiff-add';
  if (line.startsWith('-')) return 'udiff-del';
  return 'udiff-same';
}
