import type { ReactNode } from 'react';

/** What a colour says; each tone has a shape of its own too, for those who see no colour. */
export type Tone = 'good' | 'note' | 'warn' | 'bad' | 'off';

const shapes: Record<Tone, ReactNode> = {
  good: <circle cx="5" cy="5" r="3.5" />,
  note: <circle cx="5" cy="5" r="3" fill="none" strokeWidth="1.6" stroke="currentColor" />,
  warn: <path d="M5 1 9.5 9h-9z" />,
  bad: <path d="M1 1h8v8H1z" />,
  off: <path d="M1 4h8v2H1z" />,
};

interface BadgeProps {
  tone: Tone;
  children: ReactNode;
  title?: string;
  /** Without the tinted background, for dense tables. */
  plain?: boolean;
}

export function Badge({ tone, children, title, plain }: BadgeProps) {
  return (
    <span className={`badge tone-${tone}${plain ? ' badge-plain' : ''}`} title={title}>
      <svg viewBox="0 0 10 10" width="9" height="9" aria-hidden="true" fill="currentColor">
        {shapes[tone]}
      </svg>
      {children}
    </span>
  );
}
