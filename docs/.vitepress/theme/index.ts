import DefaultTheme from 'vitepress/theme';
import 'virtual:group-icons.css';
import './style.css';

export default DefaultTheme;
