using System.Net;
using Godwit.Networks.Addressing;
using Godwit.Networks.Services;

namespace Godwit.Networks.Tests.Services;

public sealed class UdpFlowsTests
{
    private static readonly ServiceBackend One = new(IPAddress.Parse("10.77.0.2"), 5353);
    private static readonly ServiceBackend Other = new(IPAddress.Parse("10.77.0.3"), 5353);

    [Fact]
    public void A_line_of_the_kernels_table_says_where_a_flow_was_sent_and_where_it_was_led()
    {
        const string Table = """
            udp      17 29 src=10.77.0.9 dst=10.96.0.11 sport=5001 dport=53 [UNREPLIED] src=10.77.0.2 dst=10.77.255.1 sport=5353 dport=5001 mark=67108864 use=1
            udp      17 119 src=10.77.0.8 dst=10.96.0.11 sport=5001 dport=53 src=10.77.0.2 dst=10.77.255.1 sport=5353 dport=1024 [ASSURED] mark=67108864 use=1
            no line of ours
            udp      17 29 src=x dst=10.96.0.11 sport=5001 dport=53
            """;
        Assert.Equal(new UdpFlow(IPAddress.Parse("10.96.0.11"), 53, One), Assert.Single(UdpFlows.Read(Table)));
    }

    [Fact]
    public void Gone_is_what_no_place_leads_there_any_more()
    {
        var names = new ServicePlace { Name = "names", Address = IPAddress.Parse("10.96.0.11"), Protocol = ServiceProtocol.Udp, Port = 53, Backends = [One] };
        var open = names with { Address = null, Port = 30053, Backends = [], InsideBackends = [Other] };
        UdpFlow[] flows =
        [
            new(names.Address!, 53, One), new(names.Address!, 53, Other), new(names.Address!, 54, One), new(IPAddress.Parse("192.0.2.1"), 30053, Other), new(IPAddress.Parse("192.0.2.1"), 30053, One),
        ];
        var state = new ServiceState { Network = Ipv4Network.Parse("10.77.0.0/16"), StationAddress = null, Ranges = [], Places = [names, open, names with { Protocol = ServiceProtocol.Tcp, Port = 54 }] };
        Assert.Equal([flows[1], flows[2], flows[4]], UdpFlows.FindGone(flows, state));
    }
}
