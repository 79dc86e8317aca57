# What consul/agent.hcl leaves to who starts it: in a container it listens for other containers.
data_dir    = "/consul/data"
client_addr = "0.0.0.0"
bind_addr   = "0.0.0.0"

# Behind 0.0.0.0 it would have to guess which of a container's addresses is meant.
advertise_addr = "{{ GetInterfaceIP \"eth0\" }}"
