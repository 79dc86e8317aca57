module leaky.tokens/consul

go 1.24

tool github.com/hashicorp/consul

require github.com/hashicorp/consul v1.19.2
