// Styles, which the bundler puts into built/page.css.

declare module "*.css";
