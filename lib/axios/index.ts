export { type AxiosClient, resilientAxios } from './resilient-axios.js';
