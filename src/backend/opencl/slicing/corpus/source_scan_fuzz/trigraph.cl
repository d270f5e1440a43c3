??=define X
__kernel void k() <% %>
