import { useQuery } from '@tanstack/react-query';
import { namesQuery, statusQuery } from '../../api/reads';

export const useStatus = () => useQuery(statusQuery());
export const useNames = () => useQuery(namesQuery());
