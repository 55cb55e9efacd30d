import { useQuery } from '@tanstack/react-query';
import { certificatesQuery } from '../../api/reads';
import type { CertificateView } from '../../api/types';
import type { CertificatesSearch } from './search';

export const useCertificates = () => useQuery(certificatesQuery());

/** Fits when every word is found in the name, a host, an upstream or the issuer. */
export function filterCertificates(views: CertificateView[], s: CertificatesSearch): CertificateView[] {
  const words = (s.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return views.filter((v) => {
    if (s.tenant !== undefined && v.tenant !== s.tenant) return false;
    if (s.problems && v.problems.length === 0) return false;
    const text = [`${v.tenant}/${v.name}`, v.status.issuer ?? '', ...(v.status.names ?? []), ...v.hosts, ...v.upstreams].join(' ').toLowerCase();
    return words.every((w) => text.includes(w));
  });
}
