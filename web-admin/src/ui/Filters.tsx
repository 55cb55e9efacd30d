import { SearchOutlined } from '@ant-design/icons';
import { Button, Input } from 'antd';
import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

interface FiltersProps {
  children: ReactNode;
  /** Present when a filter is set. */
  onClear?: (() => void) | undefined;
  /** How many are shown of how many. */
  shown: number;
  total: number;
}

export function Filters({ children, onClear, shown, total }: FiltersProps) {
  const { t } = useTranslation();
  return (
    <div className="filters" role="search">
      {children}
      {onClear && (
        <Button type="link" onClick={onClear}>
          {t('common.clearFilters')}
        </Button>
      )}
      <span className="filters-count num muted">{shown === total ? t('common.total', { count: total }) : t('common.shown', { shown, total })}</span>
    </div>
  );
}

interface SearchBoxProps {
  value: string;
  onChange: (value: string) => void;
  placeholder: string;
}

/** A text filter. It tells of the change a moment after the last key, since the URL follows. */
export function SearchBox({ value, onChange, placeholder }: SearchBoxProps) {
  const [text, setText] = useState(value);
  const [outer, setOuter] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // The URL changed by other means (back, clear): follow it.
  if (outer !== value) {
    setOuter(value);
    setText(value);
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(next), 200);
  };
  return (
    <Input
      className="filters-search"
      allowClear
      prefix={<SearchOutlined />}
      placeholder={placeholder}
      aria-label={placeholder}
      value={text}
      onChange={(e) => type(e.target.value)}
    />
  );
}
